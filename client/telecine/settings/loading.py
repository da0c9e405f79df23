"""Loads typed configuration from defaults, a file, the environment and flags, or names every fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from telecine.settings.coercion import coerce_struct
from telecine.settings.config_file import found_file, is_sectioned, named_file, read_file, section_of
from telecine.settings.leaves import FAULTY
from telecine.settings.sources import (
    CONFIG_FILE_VARIABLE,
    REDACTED,
    ConfigFault,
    Layers,
    Text,
    environment_settings,
    is_secret,
    shown,
    without_url_user,
)
from telecine.settings.trust import find_distrusted

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)


class ConfigError(Exception):
    """The configuration is wrong; `faults` holds every fault, not only the first."""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"configuration: {count}", *(f"  {fault}" for fault in self.faults)]))


class Loaded(msgspec.Struct, Generic[ConfigT], frozen=True):
    """A configuration in force, and where each of its values came from."""

    value: ConfigT
    sources: dict[str, str]
    """The source of each key that was set; the others have their defaults."""
    path: Path | None = None
    """The file that was read; None: no file was."""
    load_again: Callable[[], Loaded[ConfigT]] | None = None
    """Reads all sources again, for a service that takes changes while it runs; raises ConfigError."""

    def rows(self) -> list[tuple[str, str, str]]:
        """Key, value and source of each setting, secrets redacted."""
        return [(key, shown(key, value), self.sources_of(key)) for key, value in leaves(self.value)]

    def values(self) -> list[tuple[str, Any, str]]:
        """Key, plain value (secrets redacted) and source of each setting."""
        return [(key, redacted(value, key), self.sources_of(key)) for key, value in leaves(self.value)]

    def describe(self) -> str:
        """One line per setting: key, value and source, secrets redacted."""
        rows = self.rows()
        width = max((len(key) for key, _, _ in rows), default=0)
        return "\n".join(f"{key:<{width}} = {value}  ({source})" for key, value, source in rows)

    def sources_of(self, key: str) -> str:
        """The source of one key, or "default"."""
        layers = Layers()
        layers.sources = self.sources
        return layers.source_of(key)

    def redacted(self) -> dict[str, Any]:
        """The settings as plain nested values for printing as JSON, secrets redacted."""
        return {name: redacted(getattr(self.value, name), name) for name in self.value.__struct_fields__}


def load_config(
    kind: type[ConfigT],
    *,
    prefix: str,
    section: str = "",
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    aliases: Mapping[str, str] | None = None,
    directory: Path | None = None,
    needs_sections: bool = False,
    found_in: Path | None = None,
) -> Loaded[ConfigT]:
    """Lays file over defaults, environment over file and flags over environment.

    `kind` is a frozen struct; fields may be structs, lists, mappings, tagged unions of structs, enums,
    paths, numbers, texts and booleans, with `msgspec.Meta` limits. A number whose name ends in `_bytes`
    or `_seconds` may be written as "4GiB" or "30s". A struct's `find_faults(self)`, if it has one, yields
    (field, what is expected) for what the types of its fields cannot express.

    `prefix` is that of the environment, such as "TELECINE_ENCODER_"; `__` separates levels, and
    `<prefix>CONFIG` names the file where `path` is None. `overrides` maps dotted keys to values or texts,
    `aliases` further variables to dotted keys.

    With `section`, that of a file for everything is read; a file without sections is taken as it is. Where
    nothing names a file, TELECINE_CONFIG does, or `telecine.toml` in `directory` (None: the working one).
    With `needs_sections`, a file without sections is another program's own, and says nothing. A file that was
    merely found may not set everything (`settings.trust`); `found_in`: `path` is one, of this directory.
    Raises ConfigError with every fault. Touches nothing but the file.
    """
    environ = os.environ if environ is None else environ
    path, must_have_sections, found_in = _chosen_file(path, prefix, section, environ, directory, found_in)
    layers = Layers()
    if path is not None:
        tree = _add_file(layers, path, section, must_have_sections, needs_sections)
        _refuse_distrusted(kind, tree, path, found_in)
    _add_variables_and_flags(layers, environment_settings(prefix, environ, aliases or {}), overrides or {})
    again = partial(
        load_config,
        kind,
        prefix=prefix,
        section=section,
        path=path,
        environ=environ,
        overrides=overrides,
        aliases=aliases,
        needs_sections=needs_sections,
        found_in=found_in,
    )
    return Loaded(_coerced(kind, layers), layers.sources, path, again)


def _refuse_distrusted(
    kind: type[msgspec.Struct], tree: Mapping[str, object], path: Path, found_in: Path | None
) -> None:
    """Comes before the values are used: checking some of them opens files."""
    found = find_distrusted(kind, tree, found_in) if found_in is not None else ()
    faults = [ConfigFault(key, f"file {path.name}", why) for key, why in found]
    if faults:
        raise ConfigError(faults)


def _coerced(kind: type[ConfigT], layers: Layers) -> ConfigT:
    """Reads the layers as `kind`. With a class variable `is_part`, it has some of a program's fields alone,
    and what is said of the others is neither read nor judged.
    """
    faults = layers.faults
    if getattr(kind, "is_part", False):
        layers.keep(kind.__struct_fields__)

    def report(key: str, expected: str) -> None:
        faults.append(ConfigFault(key, layers.source_of(key), expected))

    value: ConfigT = coerce_struct(kind, layers.tree, "", report)
    if faults or value is FAULTY:
        raise ConfigError(faults)
    return value


def _add_variables_and_flags(
    layers: Layers, variables: Mapping[str, tuple[str, str]], flags: Mapping[str, object]
) -> None:
    for key, (variable, text) in variables.items():
        layers.put(key, Text(text), f"env {variable}")
    for key, value in flags.items():
        layers.put(key, Text(value) if type(value) is str else value, "flag")


def _chosen_file(
    path: Path | None,
    prefix: str,
    section: str,
    environ: Mapping[str, str],
    directory: Path | None,
    found_in: Path | None,
) -> tuple[Path | None, bool, Path | None]:
    """The file to read, whether it is one for everything, and where it was found; None: it was named."""
    if path is None and environ.get(prefix + CONFIG_FILE_VARIABLE):
        path = Path(environ[prefix + CONFIG_FILE_VARIABLE])
    if path is not None or not section:
        return path, found_in is not None, found_in
    if (named := named_file(environ)) is not None:
        return named, True, None
    directory = directory or Path.cwd()
    return found_file(directory), True, directory


def _add_file(
    layers: Layers, path: Path, section: str, must_have_sections: bool, needs_sections: bool
) -> Mapping[str, object]:
    """Lays the file's settings over what is there, and returns them as they were read."""
    try:
        tree: Mapping[str, object] = read_file(path)
    except ValueError as error:
        layers.faults.append(ConfigFault("", f"file {path}", str(error)))
        return {}
    source = f"file {path.name}"
    if needs_sections and not must_have_sections and not is_sectioned(tree):
        return {}
    if section:
        tree, faults = section_of(tree, section, must_have_sections=must_have_sections)
        layers.faults += [ConfigFault(key, source, expected) for key, expected in faults]
    layers.add_tree(tree, source)
    return tree


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Dotted key and plain value of each setting below a value."""
    if isinstance(value, msgspec.Struct):
        if (tag_field := value.__struct_config__.tag_field) is not None:
            yield f"{key}.{tag_field}", value.__struct_config__.tag
        for field in value.__struct_fields__:
            yield from leaves(getattr(value, field), f"{key}.{field}" if key else field)
    elif isinstance(value, list | tuple) and any(isinstance(item, msgspec.Struct) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{key}[{index}]")
    elif isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, f"{key}.{name}")
    else:
        yield key, _plain(value)


def redacted(value: object, key: str) -> Any:
    """The value as plain nested values for JSON; secrets that are set, and users in URLs, are redacted."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        tag = {} if config.tag_field is None else {config.tag_field: config.tag}
        return tag | {f: redacted(getattr(value, f), f"{key}.{f}") for f in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(k): redacted(v, f"{key}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(item, key) for item in value]
    if is_secret(key) and value:
        return REDACTED
    plain = _plain(value)
    return without_url_user(plain) if isinstance(plain, str) else plain


def _plain(value: object) -> object:
    return msgspec.to_builtins(value, enc_hook=str)
