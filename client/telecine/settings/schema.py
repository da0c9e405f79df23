"""Describes settings as JSON Schema (draft 2020-12), so that editors complete and check them."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from telecine.json_schema import DIALECT, field_docs

_UNITS = {
    "_bytes": r"^\s*\d+(\.\d+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$",
    "_seconds": r"^\s*\d+(\.\d+)?\s*(ms|s|m|min|h|d)?\s*$",
}
"""Sizes and durations may be written as texts, such as "4GiB" and "30s"."""


def settings_schema(kinds: Mapping[str, type[msgspec.Struct]]) -> dict[str, Any]:
    """The schema of one program's settings, if `kinds` has one; else of a file with these sections."""
    prefixes = [f"{name}_" if len(kinds) > 1 else "" for name in kinds]
    twins = [_Twins(prefix) for prefix in prefixes]
    roots, definitions = msgspec.json.schema_components(
        [made.of(kind) for made, kind in zip(twins, kinds.values(), strict=True)],
        ref_template="#/$defs/{name}",
    )
    structs = {twin.__name__: kind for made in twins for kind, twin in made.made.items()}
    for name, definition in definitions.items():
        if name in structs and "properties" in definition:
            _enrich(definition, structs[name])
    sections = dict(zip(kinds, roots, strict=True))
    root: dict[str, Any] = (
        dict(next(iter(sections.values())))
        if len(sections) == 1
        else {"type": "object", "properties": sections, "additionalProperties": False}
    )
    return {"$schema": DIALECT, **root, "$defs": dict(sorted(definitions.items()))}


class _Twins:
    """The same types with texts instead of paths: msgspec cannot put a path's default into a schema."""

    def __init__(self, prefix: str) -> None:
        """`prefix`: begins the names of the structs, which must differ within one schema."""
        self.made: dict[type[msgspec.Struct], type[msgspec.Struct]] = {}
        self._prefix = prefix

    def of(self, kind: Any) -> Any:
        """The twin of a type."""
        if kind is Path:
            return str
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if kind not in self.made:
                self.made[kind] = self._of_struct(kind)
            return self.made[kind]
        parts = get_args(kind)
        if get_origin(kind) is Annotated:
            return Annotated[(self.of(parts[0]), *parts[1:])]
        if get_origin(kind) in (Union, types.UnionType):
            return Union[tuple(self.of(part) for part in parts)]  # noqa: UP007 - made of a tuple
        if get_origin(kind) in (tuple, list, dict, set, frozenset):
            return get_origin(kind)[tuple(part if part is Ellipsis else self.of(part) for part in parts)]
        return kind

    def _of_struct(self, kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
        fields: list[Any] = []
        for field in msgspec.structs.fields(kind):
            twin = self.of(field.type)
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            if default is msgspec.NODEFAULT:
                fields.append((field.name, twin))
                continue
            plain = msgspec.convert(msgspec.to_builtins(default, enc_hook=str), twin)
            if isinstance(plain, dict | list | set):
                plain = msgspec.field(default_factory=partial(type(plain), plain))
            fields.append((field.name, twin, plain))
        config = kind.__struct_config__
        return msgspec.defstruct(
            f"{self._prefix}{kind.__name__}",
            fields,
            tag=config.tag,
            tag_field=config.tag_field,
            frozen=True,
            kw_only=True,
            namespace={"__doc__": kind.__doc__},
        )


def _enrich(definition: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    docs = _field_docs(kind)
    for name, found in definition["properties"].items():
        schema = found
        unit = next((pattern for suffix, pattern in _UNITS.items() if name.endswith(suffix)), None)
        if unit is not None and "$ref" not in found:
            default = {"default": found.pop("default")} if "default" in found else {}
            schema = {**default, "anyOf": [found, {"type": "string", "pattern": unit}]}
            definition["properties"][name] = schema
        if name in docs:
            schema["description"] = docs[name]
    definition["additionalProperties"] = False


def _field_docs(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The docstring below each field, in one line; empty if there is no source."""
    try:
        docs = field_docs(sys.modules[kind.__module__]).get(kind.__name__, {})
    except (OSError, TypeError):
        return {}
    return {name: " ".join(text.split()) for name, text in docs.items()}
