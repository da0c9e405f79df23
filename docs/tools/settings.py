"""Writes the pages of every setting: meaning, unit, range, default, variable, what needs a restart."""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from telecine.cli.config.sections import kind_of
from telecine.json_schema import field_docs
from telecine.logging.configuration import EffectiveLogConfig, log_variable

from docs.tools.tables import cell, page, table
from encoder_service.config import FIXED_FIELDS
from log_collector.config import FIXED_SECTIONS

FIXED = {"encoder": set(FIXED_FIELDS), "collector": set(FIXED_SECTIONS)}
_OWN_DEFAULTS = {"encoder": kind_of("encoder")(), "collector": kind_of("collector")()}

_HEADS = {
    "encoder": """\
Everything that `telecine serve encoder` can be set to. How files, variables and flags are read, and in
which order they win, is on
[Configuration](../configuration.md). In a file the settings stand below `[encoder]`; on the command line
any of them is
`--set KEY=VALUE`.

*Takes effect*: **reload** when the file changes or on SIGHUP, **restart** only at the next start.""",
    "collector": """\
Everything that `telecine serve collector` can be set to. How files, variables and flags are read, and in
which order they win, is on
[Configuration](../configuration.md). In a file the settings stand below `[collector]`; on the command line
any of them is
`--set KEY=VALUE`. A section marked *list* may be repeated (`[[collector.loki]]`); what is in it has no
variable of its
own, the whole list may be given as JSON. What each sink does is on [Sinks](../sinks.md).

*Takes effect*: **reload** when the file changes or on SIGHUP, **restart** only at the next start.""",
    "sdk": """\
What `Client`, `AsyncClient`, `configure_logging` and every command of `telecine` read. Programs read it
once, when a client is
made or logging is configured; files of certificates and tokens are looked at again while the program
runs.""",
}
_TITLES = {
    "encoder": "Settings of the encoder",
    "collector": "Settings of the log collector",
    "sdk": "Settings of clients",
}
_SECTIONS_OF_PAGE = {"encoder": ("encoder",), "collector": ("collector",), "sdk": ("sdk", "logging", "tls")}
_PREFIXES = {"logging": "", "tls": "TELECINE_TLS_"}


class Setting(msgspec.Struct, frozen=True):
    """One row."""

    section: str
    key: str
    meaning: str
    kind: str
    default: str
    effect: str
    variable: str

    @property
    def group(self) -> str:
        """The key without its last part."""
        return self.key.rpartition(".")[0]


class MissingMeaningError(ValueError):
    """A setting has no string below it."""


def pages() -> dict[str, str]:
    """Name in docs/reference/ to text."""
    return {f"settings-{name}.md": _page(name) for name in _TITLES}


def settings_of(section: str) -> Iterator[Setting]:
    """Every setting of a section of a configuration file, in its order."""
    yield from _walk(section, kind_of(section), "", _OWN_DEFAULTS.get(section), is_listed=False)


def _page(name: str) -> str:
    parts = []
    for section in _SECTIONS_OF_PAGE[name]:
        groups: dict[str, list[Setting]] = {}
        for setting in settings_of(section):
            groups.setdefault(setting.group, []).append(setting)
        for group, rows in groups.items():
            title = f"{section}.{group}" if group else section
            about = _about(section, group)
            parts.append(f"## `{title}`" + (f"\n\n{about}" if about else ""))
            parts.append(_table(rows))
    return page(_TITLES[name], _HEADS[name], parts)


def _table(rows: list[Setting]) -> str:
    head = ("setting", "meaning", "value", "default", "takes effect", "variable")
    return table(
        head,
        [
            (
                f"`{row.key.rpartition('.')[2]}`",
                cell(row.meaning),
                cell(row.kind),
                cell(row.default),
                row.effect,
                f"`{row.variable}`" if row.variable else "",
            )
            for row in rows
        ],
    )


def _about(section: str, group: str) -> str:
    kind: Any = kind_of(section)
    is_list = False
    for name in filter(None, group.replace("[]", "").split(".")):
        field = next(field for field in msgspec.structs.fields(kind) if field.name == name)
        inner, repeated = _inner(field.type)
        kind, is_list = inner, is_list or repeated
    text = " ".join((kind.__doc__ or "").split())
    return f"{text} *List.*" if is_list else text


def _walk(section: str, kind: Any, prefix: str, default: Any, *, is_listed: bool) -> Iterator[Setting]:
    nested = []
    for field in msgspec.structs.fields(kind):
        key = f"{prefix}{field.name}"
        inner, is_repeated = _inner(field.type)
        value = _default(section, field, default)
        if inner is not None:
            nested.append((f"{key}[]." if is_repeated else f"{key}.", inner, value, is_repeated))
        if inner is None or is_repeated:
            yield Setting(
                section,
                key,
                _meaning(kind, field.name, inner, section),
                _kind(field.type, field.name),
                "required" if value is msgspec.NODEFAULT else _shown(value, field.name),
                _effect(section, key),
                "" if is_listed else _variable(section, key),
            )
    for below, inner, value, is_repeated in nested:
        own = None if is_repeated or not isinstance(value, msgspec.Struct) else value
        yield from _walk(section, inner, below, own, is_listed=is_listed or is_repeated)


def _default(section: str, field: msgspec.structs.FieldInfo, parent: Any) -> Any:
    if section == "logging":
        known = {own.name: own for own in msgspec.structs.fields(EffectiveLogConfig)}
        if field.name in known and field.name != "tls":
            field = known[field.name]
    if parent is not None:
        return getattr(parent, field.name)
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _inner(kind: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    """The struct that a field holds, and whether it holds many."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, False
    parts = [part for part in get_args(kind) if part is not type(None) and part is not Ellipsis]
    if get_origin(kind) is Annotated:
        return _inner(parts[0])
    if get_origin(kind) in (tuple, list, dict, Union, types.UnionType):
        for part in parts:
            inner, _ = _inner(part)
            if inner is not None:
                return inner, get_origin(kind) in (tuple, list, dict)
    return None, False


@cache
def _docs(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, msgspec.Struct) and base.__module__ in sys.modules and base is not msgspec.Struct:
            found |= field_docs(sys.modules[base.__module__]).get(base.__name__, {})
    return found


def _meaning(kind: Any, name: str, inner: Any, section: str) -> str:
    text = _docs(kind).get(name) or (_docs(EffectiveLogConfig).get(name) if section == "logging" else "")
    if not text and inner is not None:
        text = inner.__doc__
    if not text:
        raise MissingMeaningError(f"{kind.__module__}.{kind.__name__}.{name} has no string below it")
    return text


def _kind(kind: Any, name: str) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        metas = [meta for meta in parts[1:] if isinstance(meta, msgspec.Meta)]
        return _kind(parts[0], name) + "".join(_range(meta) for meta in metas)
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not type(None)]
        return " or ".join(dict.fromkeys(_kind(part, name) for part in kinds))
    if origin in (tuple, list, set, frozenset):
        return f"list of {_plural(_kind(parts[0], name))}"
    if origin is dict:
        return f"table of {_plural(_kind(parts[1], name))}"
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in parts)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "section"
    if kind in (int, float):
        return _unit(name) or ("whole number" if kind is int else "number")
    return {bool: "true or false", Path: "path", str: "text"}.get(kind, "value")


def _plural(text: str) -> str:
    one = {"text", "path", "section", "whole number"}
    return f"{text}s" if text in one else text


def _unit(name: str) -> str:
    for suffix, unit in (("_bytes", "bytes"), ("_seconds", "seconds"), ("_pixels", "pixels")):
        if name.endswith(suffix):
            return unit
    return ""


def _range(meta: msgspec.Meta) -> str:
    bounds = [
        f", {sign} {bound}"
        for sign, bound in ((">=", meta.ge), (">", meta.gt), ("<=", meta.le), ("<", meta.lt))
        if bound is not None
    ]
    return "".join(bounds)


def _shown(value: Any, name: str) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.IntEnum):
        return f"`{value.name}`"
    if isinstance(value, enum.Enum):
        return f"`{value.value}`"
    if isinstance(value, int | float):
        return _quantity(value, name)
    if isinstance(value, tuple | list | dict | set | frozenset):
        return "empty" if not value else ", ".join(f"`{_plain(part)}`" for part in value)
    return f"`{value}`" if str(value) else "empty"


def _plain(value: Any) -> str:
    return str(value.value if isinstance(value, enum.Enum) else value)


def _quantity(value: float, name: str) -> str:
    number = f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else f"{int(value)}"
    scales: tuple[tuple[int, str], ...] = ()
    if _unit(name) == "bytes":
        scales = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
    elif _unit(name) == "seconds":
        scales = ((86400, "d"), (3600, "h"), (60, "m"))
    for size, unit in scales:
        if value >= size and value % size == 0:
            return f"{number} ({int(value) // size} {unit})"
    return number


def _effect(section: str, key: str) -> str:
    if section not in FIXED:
        return ""
    return "restart" if key.partition(".")[0].removesuffix("[]") in FIXED[section] else "reload"


def _variable(section: str, key: str) -> str:
    if section == "logging":
        return log_variable(key)
    prefix = _PREFIXES.get(section, f"TELECINE_{section.upper()}_")
    return prefix + key.upper().replace(".", "__")
