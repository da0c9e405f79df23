"""Looks, before a stage says how it ended, whether what it tracked is still there and still the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec
from msgspec.structs import replace

from telecine.stages.errors import StageFileMissingError
from telecine.stages.manifest import IntermediateFile, OutputFile
from telecine.stages.metering.files import Measured, files_below, measure, stamp_of
from telecine.stages.running.job_directory import is_own_file
from telecine.stages.running.ledger import Ledger
from telecine.stages.settings import StageSettings

_SHOWN = 5


class Tracked(msgspec.Struct, frozen=True):
    """A file as it was when it was tracked."""

    path: Path
    measured: Measured


def recheck_outputs(ledger: Ledger, tracked: dict[str, Tracked], settings: StageSettings) -> list[str]:
    """Takes each output anew that has changed since it was tracked; returns the paths of those gone."""
    gone = []
    for written, entry in list(ledger.outputs.items()):
        known = tracked[written]
        try:
            if stamp_of(known.path, max_files=settings.max_directory_files) == known.measured.stamp:
                continue
            again = measure(
                known.path, has_checksum=entry.sha256 is not None, max_files=settings.max_directory_files
            )
        except StageFileMissingError:
            gone.append(written)
            continue
        ledger.outputs[written] = updated(entry, again)
    return gone


def settle_intermediates(
    ledger: Ledger, paths: dict[str, Path], settings: StageSettings, *, ended_well: bool
) -> None:
    """Removes what was not to be kept, unless the stage failed, and notes what is there in the end.

    Raises OSError where a file cannot be removed.
    """
    for written, entry in list(ledger.intermediates.items()):
        path = paths[written]
        if path.exists():
            ledger.intermediates[written] = _settled(entry, path, settings, ended_well=ended_well)


def _settled(
    entry: IntermediateFile, path: Path, settings: StageSettings, *, ended_well: bool
) -> IntermediateFile:
    """The entry of a file that is there, which is removed where that was to be."""
    has_checksum = entry.sha256 is not None and entry.is_retained
    found = measure(path, has_checksum=has_checksum, max_files=settings.max_directory_files)
    entry = replace(entry, **found.facts())
    if entry.is_retained:
        return entry
    if not ended_well:
        return replace(entry, is_retained=True, reason=f"{entry.reason} (kept: the stage failed)")
    _remove(path)
    return entry


def untracked_files(directory: Path, job_dir: Path, tracked: Iterable[str], max_files: int) -> list[str]:
    """Files in the stage's directory that its manifest does not list, as manifests write paths."""
    known = set(tracked)
    found = []
    for path in files_below(directory, max_files):
        inside = path.relative_to(directory)
        if len(inside.parts) == 1 and is_own_file(path.name):
            continue
        parents = (path, *list(path.parents)[: len(inside.parts) - 1])
        if known.isdisjoint(each.relative_to(job_dir).as_posix() for each in parents):
            found.append(path.relative_to(job_dir).as_posix())
    return found


def is_listed(written: str, listed: Iterable[str]) -> bool:
    """Whether a path, a directory above it or something below it is listed."""
    path = PurePosixPath(written)
    others = map(PurePosixPath, listed)
    return any(path.is_relative_to(other) or other.is_relative_to(path) for other in others)


def shown(paths: list[str]) -> str:
    """A list of paths that stays readable."""
    rest = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + rest


def updated(entry: OutputFile, measured: Measured) -> OutputFile:
    """The entry with what was measured now."""
    return replace(entry, **measured.facts())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
