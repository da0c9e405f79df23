"""Writes the pages of the contract: each service, message and enum of protos/ with its comments."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docs.tools.tables import cell, page, table

_ROOT = Path(__file__).parents[2]
_BUF = Path(sys.executable).parent / "buf"

_PAGES = {
    "grpc-encoder.md": ("The contract of the encoder", ("telecine/encoder/v1/encoder.proto",)),
    "grpc-logs.md": (
        "The contract of the log collector",
        ("telecine/logs/v1/log_collector_service.proto", "telecine/logs/v1/logs.proto"),
    ),
    "grpc-errors.md": ("Reasons of errors on the wire", ("telecine/errors/v1/error_reason.proto",)),
}
_SCALARS = {
    "TYPE_BOOL": "bool", "TYPE_BYTES": "bytes", "TYPE_DOUBLE": "double", "TYPE_FIXED32": "fixed32",
    "TYPE_FIXED64": "fixed64", "TYPE_FLOAT": "float", "TYPE_INT32": "int32", "TYPE_INT64": "int64",
    "TYPE_SFIXED32": "sfixed32", "TYPE_SFIXED64": "sfixed64", "TYPE_SINT32": "sint32",
    "TYPE_SINT64": "sint64", "TYPE_STRING": "string", "TYPE_UINT32": "uint32", "TYPE_UINT64": "uint64",
}  # fmt: skip
# Numbers of fields in descriptor.proto, of which the places of comments are made.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_FIELD, _NESTED_MESSAGE, _NESTED_ENUM, _ONEOF = 2, 3, 4, 8

_HEAD = """\
Written from {files}, which is the contract itself: generate stubs from there. For programs in Python the
[SDK](python-telecine.md) does all of this."""


class _File:
    """One proto file with the comments of its places."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self.described = described
        self._comments = {
            tuple(location.get("path", ())): location.get("leadingComments", "")
            or location.get("trailingComments", "")
            for location in described["sourceCodeInfo"]["location"]
        }
        self._package = described["package"]

    def comment(self, *path: int) -> str:
        """As Markdown: one space before each line is the comment's own."""
        lines = self._comments.get(path, "").splitlines()
        return "\n".join(line.removeprefix(" ") for line in lines).strip()

    def short(self, name: str) -> str:
        """A type's name without this file's package."""
        return name.removeprefix(f".{self._package}.").removeprefix(".")


def pages() -> dict[str, str]:
    """Name in docs/reference/ to text."""
    files = {entry["name"]: _File(entry) for entry in _image()["file"] if "sourceCodeInfo" in entry}
    found = {}
    for name, (title, sources) in _PAGES.items():
        links = " and ".join(f"[{source}](../../protos/{source})" for source in sources)
        parts = [part for source in sources for part in _parts(files[source])]
        found[name] = page(title, _HEAD.format(files=links), parts)
    return found


def _image() -> dict[str, Any]:
    """What buf reads of protos/, comments included."""
    built = subprocess.run(
        [str(_BUF), "build", "--exclude-imports", "-o", "-#format=json"],
        cwd=_ROOT, check=True, capture_output=True,
    )  # fmt: skip
    image: dict[str, Any] = json.loads(built.stdout)
    return image


def _parts(file: _File) -> Iterator[str]:
    for number, service in enumerate(file.described.get("service", ())):
        yield f"## Service `{service['name']}`"
        yield _text(file.comment(_SERVICE, number))
        for index, method in enumerate(service.get("method", ())):
            asks, answers = (_streamed(file, method, side) for side in ("input", "output"))
            yield f"### `{method['name']}`"
            yield f"`rpc {method['name']}({asks}) returns ({answers})`"
            yield _text(file.comment(_SERVICE, number, 2, index))
    for index, message in enumerate(file.described.get("messageType", ())):
        yield from _message(file, message, message["name"], (_MESSAGE, index))
    for index, enum in enumerate(file.described.get("enumType", ())):
        yield from _enum(file, enum, enum["name"], (_ENUM, index))


def _streamed(file: _File, method: Mapping[str, Any], side: str) -> str:
    streams = method.get("clientStreaming" if side == "input" else "serverStreaming", False)
    return ("stream " if streams else "") + file.short(method[f"{side}Type"])


def _message(file: _File, message: Mapping[str, Any], name: str, path: tuple[int, ...]) -> Iterator[str]:
    entries = {
        f".{file.described['package']}.{name}.{nested['name']}": nested
        for nested in message.get("nestedType", ())
        if nested.get("options", {}).get("mapEntry")
    }
    yield f"## `{name}`"
    if text := file.comment(*path):
        yield _text(text)
    fields = message.get("field", ())
    if fields:
        rows = [
            (
                f"`{field['name']}`",
                f"{field['number']}",
                cell(_type(file, field, entries)),
                cell(_choice(message, field)),
                cell(_inline(file.comment(*path, _FIELD, index))),
            )
            for index, field in enumerate(fields)
        ]
        yield table(("field", "number", "type", "one of", "meaning"), rows)
    for index, nested in enumerate(message.get("nestedType", ())):
        if not nested.get("options", {}).get("mapEntry"):
            yield from _message(file, nested, f"{name}.{nested['name']}", (*path, _NESTED_MESSAGE, index))
    for index, enum in enumerate(message.get("enumType", ())):
        yield from _enum(file, enum, f"{name}.{enum['name']}", (*path, _NESTED_ENUM, index))


def _enum(file: _File, enum: Mapping[str, Any], name: str, path: tuple[int, ...]) -> Iterator[str]:
    yield f"## `{name}`"
    if text := file.comment(*path):
        yield _text(text)
    rows = [
        (f"`{value['name']}`", f"{value.get('number', 0)}", cell(_inline(file.comment(*path, 2, index))))
        for index, value in enumerate(enum["value"])
    ]
    yield table(("value", "number", "meaning"), rows)


def _type(file: _File, field: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]) -> str:
    named = field.get("typeName", "")
    if named in entries:
        key, value = entries[named]["field"]
        return f"map of {_type(file, key, {})} to {_type(file, value, {})}"
    kind = _SCALARS.get(field["type"]) or f"`{file.short(named)}`"
    if field.get("label") == "LABEL_REPEATED":
        return f"repeated {kind}"
    return f"optional {kind}" if field.get("proto3Optional") else kind


def _choice(message: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "oneofIndex" not in field or field.get("proto3Optional"):
        return ""
    return f"`{message['oneofDecl'][field['oneofIndex']]['name']}`"


def _text(comment: str) -> str:
    return comment.replace("<", "&lt;")


def _inline(comment: str) -> str:
    """A comment for a table's cell; the points of a list follow one another."""
    return " ".join(comment.replace("\n* ", "; ").split())
