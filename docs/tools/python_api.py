"""Writes a page for each public module of the SDK: signatures and docstrings."""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from telecine.json_schema import field_docs

from docs.tools.tables import cell, page, table

MODULES = (
    "telecine",
    "telecine.logging",
    "telecine.stages",
    "telecine.retry",
    "telecine.exceptions",
)
"""Whose public names are the interface; what is not named there may change without notice."""

_NO_VALUE = re.compile(r"<object object at 0x[0-9a-f]+>|<factory>")
_CODE, _END = "```text\n", "\n```"
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Example|Examples|Note):\s*$")


def pages() -> dict[str, str]:
    """Name in docs/reference/ to text."""
    return {f"python-{name.replace('.', '-')}.md": _page(name) for name in MODULES}


def public_names(module: ModuleType) -> list[str]:
    """What `from module import *` would bring of classes, functions and values."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return [name for name in names if not inspect.ismodule(getattr(module, name)) and name != "annotations"]


def _page(name: str) -> str:
    module = importlib.import_module(name)
    parts = []
    for public in public_names(module):
        thing = getattr(module, public)
        if isinstance(thing, str | int | float | bool | dict | tuple | frozenset):
            continue
        parts.append(f"## `{public}`")
        parts += _thing(public, thing)
    return page(f"`{name}`", _prose(inspect.getdoc(module) or ""), parts)


def _thing(name: str, thing: Any) -> Iterator[str]:
    if inspect.isclass(thing) and issubclass(thing, enum.Enum):
        yield _prose(inspect.getdoc(thing) or "")
        members: list[Any] = list(thing)
        docs = _strings_below(thing)
        rows = [
            (f"`{member.name}`", f"`{member.value}`", cell(docs.get(member.name, ""))) for member in members
        ]
        yield table(("member", "value", "meaning"), rows)
    elif inspect.isclass(thing):
        yield from _class(name, thing)
    elif callable(thing):
        yield _signature(name, thing)
        yield _prose(inspect.getdoc(thing) or "")
    else:
        yield f"A value of type `{type(thing).__name__}`."


def _class(name: str, kind: type) -> Iterator[str]:
    is_error = issubclass(kind, BaseException)
    if not is_error:
        yield _signature(name, kind)
    yield _prose(inspect.getdoc(kind) or "")
    fields = getattr(kind, "__struct_fields__", getattr(kind, "__dataclass_fields__", ()))
    docs = _strings_below(kind)
    if rows := [(f"`{field}`", cell(docs.get(field, ""))) for field in fields]:
        yield table(("field", "meaning"), rows)
    for own, member in _members(kind):
        if isinstance(member, property):
            yield f"### `{name}.{own}`"
            yield _prose(inspect.getdoc(member) or "")
        elif inspect.isfunction(member):
            yield f"### `{name}.{own}()`"
            yield _signature(own, member)
            yield _prose(inspect.getdoc(member) or "")


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of the class and of those that it inherits from in the SDK."""
    seen: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("telecine"):
            continue
        for name, member in vars(base).items():
            found = member.__func__ if isinstance(member, classmethod | staticmethod) else member
            if (
                name.startswith("_")
                or name in seen
                or not (inspect.isfunction(found) or isinstance(found, property))
            ):
                continue
            seen.add(name)
            yield name, found


def _strings_below(kind: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("telecine"):
            found |= field_docs(sys.modules[base.__module__]).get(base.__name__, {})
    return found


def _signature(name: str, thing: Any) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"```text\n{name}(...)\n```"
    parameters = [
        _shown(parameter) for parameter in signature.parameters.values() if parameter.name != "self"
    ]
    line = f"{name}({', '.join(_with_markers(signature, parameters))})"
    returns = signature.return_annotation
    if returns is not inspect.Signature.empty and not inspect.isclass(thing):
        line += f" -> {_annotation(returns)}"
    if len(line) > 100:
        inner = "".join(f"    {part},\n" for part in _with_markers(signature, parameters))
        head, _, tail = line.rpartition(")")
        line = f"{head.partition('(')[0]}(\n{inner}){tail}"
    return f"```text\n{line}\n```"


def _with_markers(signature: inspect.Signature, shown: list[str]) -> list[str]:
    """The parameters with the `*` before those that are named."""
    kinds = [parameter.kind for parameter in signature.parameters.values() if parameter.name != "self"]
    if inspect.Parameter.KEYWORD_ONLY not in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
        return shown
    first = kinds.index(inspect.Parameter.KEYWORD_ONLY)
    return [*shown[:first], "*", *shown[first:]]


def _shown(parameter: inspect.Parameter) -> str:
    markers = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
    prefix = markers.get(parameter.kind.name, "")
    text = prefix + parameter.name
    is_annotated = parameter.annotation is not inspect.Parameter.empty
    if is_annotated:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return text
    default = _NO_VALUE.sub("...", _value(parameter.default))
    return f"{text} = {default}" if is_annotated else f"{text}={default}"


def _value(default: Any) -> str:
    if isinstance(default, enum.Enum):
        return f"{type(default).__name__}.{default.name}"
    if inspect.isfunction(default) or inspect.isbuiltin(default) or inspect.isclass(default):
        return str(default.__name__)
    return repr(default)


def _annotation(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else str(inspect.formatannotation(annotation))
    return re.sub(r"\b(?:telecine|collections|typing|pathlib|numpy)(?:\.\w+)*\.(\w+)", r"\1", text)


def _prose(docstring: str) -> str:
    """Sections of parameters become lists; indented examples become code."""
    out: list[str] = []
    in_section = False
    for block in re.split(r"\n\s*\n", docstring):
        lines = block.splitlines()
        if lines and (found := _SECTION.match(lines[0])):
            out += [f"{found[1]}:", _points(lines[1:])]
            in_section = True
        elif lines and all(line.startswith("    ") for line in lines) and not in_section:
            code = inspect.cleandoc("\n" + block)
            if out and out[-1].startswith(_CODE):
                out[-1] = f"{out[-1].removesuffix(_END)}\n\n{code}{_END}"
            else:
                out.append(f"{_CODE}{code}{_END}")
        else:
            out.append(block.replace("<", "&lt;"))
            in_section = False
    return "\n\n".join(part for part in out if part.strip())


def _points(lines: list[str]) -> str:
    """One point for each parameter; deeper lines go on with it."""
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    points: list[str] = []
    for line in lines:
        own = line[depth:]
        if own.startswith(" ") and points:
            points[-1] += " " + own.strip()
        elif own.strip():
            name, colon, rest = own.partition(":")
            points.append(f"- `{name}`:{rest}" if colon else f"- {own}")
    return "\n".join(points).replace("<", "&lt;")
