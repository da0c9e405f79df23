"""Finds and reads configuration files: one file for everything, in sections, or one for each program."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

SECTIONS = ("encoder", "collector", "sdk", "logging", "tls")
"""What one file for everything may hold."""
SHARED_VARIABLE = "TELECINE_CONFIG"
"""Names the file for everything."""
SHARED_NAME = "telecine.toml"
"""Read from the working directory if no variable and no flag names a file."""


def shared_file(environ: Mapping[str, str], directory: Path) -> Path | None:
    """The file that TELECINE_CONFIG names; else `telecine.toml` in the directory, if it exists; else None."""
    return named_file(environ) or found_file(directory)


def named_file(environ: Mapping[str, str]) -> Path | None:
    """The file that TELECINE_CONFIG names; None: it names none."""
    named = environ.get(SHARED_VARIABLE)
    return Path(named).expanduser() if named else None


def found_file(directory: Path) -> Path | None:
    """`telecine.toml` in the directory, if it exists; it has not been named, so it is not trusted."""
    found = directory / SHARED_NAME
    return found if found.is_file() else None


def is_sectioned(tree: Mapping[str, object]) -> bool:
    """Whether a file is one for everything: it has a section of ours at its top."""
    return any(
        name in SECTIONS and name != "tls" for name in tree
    )  # an SDK's own file has such a setting too


def section_of(
    tree: Mapping[str, object], section: str, *, must_have_sections: bool
) -> tuple[Mapping[str, object], list[tuple[str, str]]]:
    """One program's settings in a file, and (key, what is expected) for everything outside of the sections.

    A file without sections is one program's own, unless `must_have_sections`.
    """
    if not is_sectioned(tree) and not must_have_sections:
        return tree, []
    faults = [(name, _no_section(name)) for name in tree if name not in SECTIONS]
    found = tree.get(section, {})
    if not isinstance(found, Mapping):
        return {}, [*faults, (section, "expected a section of settings")]
    return found, faults


def _no_section(name: str) -> str:
    close = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.6)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f"no section; a file for everything has {', '.join(SECTIONS)}{hint}"


def read_file(path: Path) -> dict[str, object]:
    """Reads TOML, YAML or JSON by the file's suffix. Raises ValueError with what is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or error}") from error
    try:
        tree = _parse(path.suffix.lower(), data)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise ValueError(_not_valid(error)) from error
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise ValueError("expected a mapping from names to settings at the top")
    return tree


def _parse(suffix: str, data: bytes) -> object:
    match suffix:
        case ".toml":
            return tomllib.loads(data.decode())
        case ".yaml" | ".yml":
            return _parse_yaml(data)
        case ".json":
            return msgspec.json.decode(data)
        case _:
            raise ValueError('expected a name that ends in ".toml", ".yaml", ".yml" or ".json"')


def _parse_yaml(data: bytes) -> object:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ValueError(
            "YAML needs PyYAML, which is not installed: pip install PyYAML, or write it as TOML or JSON"
        ) from error
    try:
        tree: object = yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise ValueError(_not_valid(error)) from error
    return {} if tree is None else tree


def _not_valid(error: Exception) -> str:
    return f"is not valid: {' '.join(str(error).split())}"
