"""What a configuration file may set that was merely found in the working directory: nothing that reaches out.

Working in a directory that was unpacked or cloned means to trust its data, not its author. So a file that was
found there may neither name commands nor open paths outside of its directory; a file that was named may.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from telecine.settings.renamed import new_names

OPERATOR_ONLY: Final = msgspec.Meta(extra={"found_file": "never"})
"""Marks a field that runs programs or lifts a wall: `Annotated[tuple[str, ...], OPERATOR_ONLY]`."""
NAMES_A_PATH: Final = msgspec.Meta(extra={"found_file": "inside"})
"""Marks a text that is a path, or may be one after "unix:". Fields of type `Path` need no mark."""

_NAME_THE_FILE: Final = "name the file by --config or TELECINE_CONFIG if you trust it"
_SOCKET: Final = "unix:"


def withheld_token(address: str, variable: str) -> str:
    """What is said where a merely found file names to whom a token of the environment would be shown.

    `variable`: what names the address otherwise.
    """
    return (
        f"the token of the environment is not shown to {address}, which a file merely found in the working "
        f"directory names: name the file by TELECINE_CONFIG, or the address by {variable}"
    )


def find_distrusted(kind: Any, tree: object, directory: Path, key: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted key, why) for everything that a file found in `directory` may not set.

    `tree`: as it was read.
    """
    bare, marks = _unmarked(kind)
    if "never" in marks:
        yield key, f"is not taken from a file merely found in the working directory; {_NAME_THE_FILE}"
    elif bare is Path or "inside" in marks:
        if isinstance(tree, str) and not _lies_in(directory, tree.removeprefix(_SOCKET), bare, tree):
            yield key, f"lies outside of the directory that the file was merely found in; {_NAME_THE_FILE}"
    elif isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        fields = {field.name: field.type for field in msgspec.structs.fields(bare)}
        renamed = new_names(bare)
        for name, value in tree.items() if isinstance(tree, Mapping) else ():
            current = renamed.get(name, name)
            if current in fields:
                yield from find_distrusted(
                    fields[current], value, directory, f"{key}.{name}" if key else name
                )
    elif get_origin(bare) in (Union, types.UnionType):
        of_options = (find_distrusted(option, tree, directory, key) for option in get_args(bare))
        yield from dict.fromkeys(entry for found in of_options for entry in found)
    else:
        yield from _in_items(bare, tree, directory, key)


def _in_items(kind: Any, tree: object, directory: Path, key: str) -> Iterator[tuple[str, str]]:
    inner = [part for part in get_args(kind) if part is not Ellipsis]
    if not inner:
        return
    if get_origin(kind) is dict and isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from find_distrusted(inner[-1], value, directory, f"{key}.{name}")
    elif get_origin(kind) in (list, tuple, set, frozenset):
        for index, value in enumerate(tree if isinstance(tree, list) else [tree]):
            yield from find_distrusted(inner[min(index, len(inner) - 1)], value, directory, f"{key}[{index}]")


def _unmarked(kind: Any) -> tuple[Any, set[str]]:
    """The type without its annotations, and the marks in them."""
    if get_origin(kind) is not Annotated:
        return kind, set()
    bare, *metas = get_args(kind)
    extras = [meta.extra or {} for meta in metas if isinstance(meta, msgspec.Meta)]
    return bare, {str(extra["found_file"]) for extra in extras if "found_file" in extra}


def _lies_in(directory: Path, text: str, kind: Any, whole: str) -> bool:
    """Whether a path, links resolved, stays below the directory. An address that is no path does."""
    if kind is not Path and not whole.startswith(_SOCKET) and not _is_path(text):
        return True
    try:
        path = (directory / Path(text).expanduser()).resolve()
    except (OSError, RuntimeError, ValueError):
        return False
    return path.is_relative_to(directory.resolve())


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith(("~", "."))
