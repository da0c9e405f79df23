"""Settings that have a new name: the old one still works, with a hint."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import msgspec


def new_names(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """Old name to new name of a struct's fields: its class variable `renamed`, if it has one."""
    names: Mapping[str, str] = getattr(kind, "renamed", {})
    return names


def by_new_names(
    kind: type[msgspec.Struct], tree: Mapping[str, object], key: str
) -> tuple[Mapping[str, object], list[tuple[str, str]]]:
    """The settings by their new names, and (old name, fault) of each that is given by both.

    A FutureWarning says which name to use, once in the life of a process.
    """
    names = new_names(kind)
    old = [name for name in tree if name in names]
    if not old:
        return tree, []
    found = dict(tree)
    faults = []
    for name in old:
        value = found.pop(name)
        if names[name] in found:
            faults.append(
                (name, f"is the old name of {names[name]}, which is given too; leave one of them out")
            )
            continue
        found[names[name]] = value
        where = f"{key}.{name}" if key else name
        warnings.warn(f"setting {where} is called {names[name]} now", FutureWarning, stacklevel=2)
    return found, faults
