"""Reads plain values as the typed structs of a configuration, collecting every fault."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from telecine.settings.leaves import FAULTY, Report, checked, find_faults, read_leaf
from telecine.settings.removed import REMOVED
from telecine.settings.renamed import by_new_names
from telecine.settings.sources import Text, shown


def coerce_struct(
    kind: type[msgspec.Struct],
    tree: Mapping[str, object],
    key: str,
    report: Report,
    base: msgspec.Struct | None = None,
) -> Any:
    """Builds a struct from a mapping; returns FAULTY after reporting every fault in it.

    What the mapping leaves out is taken from `base`, then from the struct's own defaults.
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    tree, doubled = by_new_names(kind, tree, key)
    for name, expected in doubled:
        report(_join(key, name), expected)
    unknown = [name for name in tree if name not in fields]
    for name in unknown:
        report(_join(key, name), _unknown(name, list(fields)))
    values = {}
    for name, field in fields.items():
        default = _default(field) if base is None else getattr(base, name)
        inner_key = _join(key, name)
        if _is_struct(field.type) and (name in tree or default is msgspec.NODEFAULT):
            inner_base = default if isinstance(default, msgspec.Struct) else None
            values[name] = _coerce_section(field.type, tree.get(name, {}), inner_key, report, inner_base)
        elif name in tree:
            values[name] = coerce(field.type, tree[name], inner_key, report)
        elif default is msgspec.NODEFAULT:
            report(inner_key, "is required and has no default")
            values[name] = FAULTY
        else:
            values[name] = default
    is_sound = not unknown and not doubled and not any(value is FAULTY for value in values.values())
    for name, expected in find_faults(kind, values):
        report(_join(key, name), expected)
        is_sound = False
    return _built(kind, values, key, report) if is_sound else FAULTY


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _built(kind: type[msgspec.Struct], values: dict[str, Any], key: str, report: Report) -> Any:
    try:
        return kind(**values)
    except ValueError as error:
        report(key, str(error))
        return FAULTY


def coerce(kind: Any, value: object, key: str, report: Report) -> Any:
    """Reads one value as `kind`; returns FAULTY after reporting what was expected."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) in (Union, types.UnionType):
        return _coerce_union(kind, bare, value, key, report)
    if _is_struct(bare):
        return _coerce_section(bare, value, key, report)
    if get_origin(bare) in (list, tuple, frozenset, set):
        return _coerce_items(kind, bare, value, key, report)
    if get_origin(bare) is dict:
        return _coerce_entries(kind, bare, value, key, report)
    return read_leaf(kind, bare, value, key, report)


def _coerce_union(kind: Any, bare: Any, value: object, key: str, report: Report) -> Any:
    options = [option for option in get_args(bare) if option is not type(None)]
    is_optional = len(options) < len(get_args(bare))
    if is_optional and (value is None or (isinstance(value, Text) and value.lower() in {"none", "null"})):
        return None
    if len(options) == 1:
        return coerce(options[0], value, key, report)
    structs = {_tag(option): option for option in options if _tag(option) is not None}
    inner = _opened(value, dict)
    if structs and isinstance(inner, Mapping):
        field = next(iter(structs.values())).__struct_config__.tag_field
        named = inner.get(field)
        chosen = structs.get(named) if isinstance(named, str) else None
        if chosen is None:
            names = ", ".join(sorted(str(name) for name in structs))
            report(_join(key, field), f"expected one of {names}, got {shown(key, named)}")
            return FAULTY
        return _coerce_section(chosen, inner, key, report)
    return read_leaf(kind, bare, value, key, report)


def _tag(kind: Any) -> object:
    return kind.__struct_config__.tag if _is_struct(kind) else None


def _coerce_section(
    kind: type[msgspec.Struct], value: object, key: str, report: Report, base: msgspec.Struct | None = None
) -> Any:
    tree = _opened(value, dict)
    if not isinstance(tree, Mapping):
        report(key, f"expected a section of settings, got {shown(key, value)}")
        return FAULTY
    tag_field = kind.__struct_config__.tag_field
    return coerce_struct(kind, {k: v for k, v in tree.items() if k != tag_field}, key, report, base)


def _coerce_items(kind: Any, bare: Any, value: object, key: str, report: Report) -> Any:
    items = _opened(value, list)
    if not isinstance(items, list | tuple):
        report(key, f"expected a list, got {shown(key, value)}")
        return FAULTY
    item_kinds = [arg for arg in get_args(bare) if arg is not Ellipsis]
    if get_origin(bare) is tuple and Ellipsis not in get_args(bare):
        if len(items) != len(item_kinds):
            report(key, f"expected {len(item_kinds)} items, got {len(items)}")
            return FAULTY
    else:
        item_kinds *= len(items)
    made = [
        coerce(k, v, f"{key}[{n}]", report) for n, (k, v) in enumerate(zip(item_kinds, items, strict=True))
    ]
    if any(item is FAULTY for item in made):
        return FAULTY
    return checked(kind, get_origin(bare)(made), key, report)


def _coerce_entries(kind: Any, bare: Any, value: object, key: str, report: Report) -> Any:
    entries = _opened(value, dict)
    if not isinstance(entries, Mapping):
        report(key, f"expected a mapping, got {shown(key, value)}")
        return FAULTY
    _, value_kind = get_args(bare)
    made = {name: coerce(value_kind, inner, _join(key, str(name)), report) for name, inner in entries.items()}
    if any(item is FAULTY for item in made.values()):
        return FAULTY
    return checked(kind, made, key, report)


def _opened(value: object, kind: type[list[Any] | dict[str, Any]]) -> object:
    """Text for a list is JSON or separated by commas; for a mapping it is JSON."""
    if not isinstance(value, Text):
        return value
    stripped = value.strip()
    if stripped.startswith(("[", "{")):
        try:
            return msgspec.json.decode(str(stripped))
        except msgspec.DecodeError:
            return value
    if kind is list:
        return [Text(item.strip()) for item in stripped.split(",") if item.strip()]
    return value


def _unknown(name: str, known: list[str]) -> str:
    if name in REMOVED:
        return REMOVED[name]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f'unknown setting; did you mean "{close[0]}"?'
    return f"unknown setting; known here: {', '.join(sorted(known))}"


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
