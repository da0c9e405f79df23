"""Where a job's files go: a directory, or, for a single output, the file that the caller named."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from telecine.request.fields import refused, shown
from telecine.request.options import Output, OutputLike, as_outputs
from telecine.results.download import MANIFEST, below, place_manifest
from telecine.results.target import directory_of, expanded, means_directory, unusable
from telecine.results.values import Artifact

_FORMATS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "mkv", ".webm": "webm",
    ".webp": "webp", ".gif": "gif", ".png": "apng", ".apng": "apng", ".avif": "avif", ".zip": "png",
    ".jpg": "poster", ".jpeg": "poster", ".wav": "wav", ".flac": "flac", ".m4a": "m4a", ".opus": "opus",
}  # fmt: skip
"""The format of a file whose name alone says what it is to be."""
_SUFFIXES = {
    "mp4": (".mp4", ".m4v"),
    "png": (".zip",),
    "apng": (".png", ".apng"),
    "poster": (".jpg", ".jpeg"),
    "contact_sheet": (".png",),
}
"""How files of a format may end whose names do not end with the format's own."""
_DEFAULT_FORMAT = "mp4"
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What services take as a file's name."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A directory for artifacts and manifest, or the path of the only artifact."""

    path: Path
    is_file: bool = False

    def of(self, artifact: Artifact) -> Path:
        """Where an artifact belongs. Raises ProtocolError for a path that would leave the directory."""
        return self.path if self.is_file else below(self.path, artifact.path)

    @property
    def manifest(self) -> Path:
        """Where the manifest belongs: beside a file, under the file's own name."""
        return beside(self.path) if self.is_file else self.path / MANIFEST

    def expect(self, artifacts: Sequence[Artifact]) -> None:
        """Raises InvalidRequestError where a file is named, and the artifacts are not one of its kind."""
        if not self.is_file or not artifacts:
            return
        expect_one(self, len(artifacts))
        ending, found = self.path.suffix.lower(), Path(artifacts[0].path).suffix.lower()
        if _FORMATS.get(ending) != _FORMATS.get(found):
            raise refused("to", str(self.path), f"a directory, or a file whose name ends with {found}")

    def clear(self) -> None:
        """Removes the manifest of the file that is about to be replaced: a manifest that exists is true.

        Raises OSError.
        """
        if self.is_file:
            self.manifest.unlink(missing_ok=True)

    def place_manifest(self, manifest_json: bytes) -> None:
        """Writes the manifest, after everything that it speaks of. Raises OSError."""
        if manifest_json:
            place_manifest(self.manifest.parent, manifest_json, self.manifest.name)


def expect_one(destination: Destination | None, outputs: int, field: str = "to") -> None:
    """Raises InvalidRequestError where a single file is named for several outputs."""
    if destination is not None and destination.is_file and outputs != 1:
        raise refused(field, str(destination.path), f"a directory, for there are {outputs} outputs")


def beside(file: Path) -> Path:
    """The manifest of a file that was asked for by its name."""
    return file.with_name(f"{file.name}.{MANIFEST}")


def destination_of(to: str | Path | None, field: str = "to") -> Destination | None:
    """Where a caller wants files, with "~" expanded; None: nowhere.

    A name that ends as a format's files do means that file, unless it is a directory that exists, or ends
    with a separator. What cannot be written is found here, and nothing is left behind.

    Raises InvalidRequestError for what is no path, TargetError for one that cannot be used.
    """
    if to is None:
        return None
    path = expanded(to, field)
    if means_directory(to, path) or path.suffix.lower() not in _FORMATS:
        directory = directory_of(to, field)
        return None if directory is None else Destination(directory)
    _check_file(path, field)
    return Destination(path, is_file=True)


def outputs_for(
    destination: Destination | None,
    outputs: OutputLike | Sequence[OutputLike] | None,
    field: str = "to",
) -> tuple[Output, ...]:
    """The outputs of a job whose files go there.

    None is the format that the file's name says, else MP4. A single file is named in the manifest as it is
    called on the disk, where services take that name. Raises InvalidRequestError for several outputs into one
    file, or an ending that contradicts the format.
    """
    is_file = destination is not None and destination.is_file
    if destination is None or not is_file:
        return as_outputs(_DEFAULT_FORMAT if outputs is None else outputs)
    ending = destination.path.suffix.lower()
    listed = as_outputs(_FORMATS[ending] if outputs is None else outputs)
    expect_one(destination, len(listed), field)
    only = listed[0]
    allowed = _SUFFIXES.get(only.format, (f".{only.format}",))
    if ending not in allowed:
        expected = f'a file whose name ends with {" or ".join(allowed)}, for the output is "{only.format}"'
        raise refused(field, str(destination.path), expected)
    stem = destination.path.stem
    if not only.file_name and _STEM.fullmatch(stem):
        only = replace(only, file_name=stem)
    return (only,)


def _check_file(path: Path, field: str) -> None:
    directory_of(path.parent, field)
    for each in (path, beside(path)):
        if os.path.lexists(each) and not (each.is_file() or each.is_symlink()):
            raise unusable(path, field, OSError(0, f"{shown(str(each))} is no regular file"))
    name_bytes = len(os.fsencode(path.name)) + len(f"..{MANIFEST}.tmp")
    if name_bytes > os.pathconf(_existing(path), "PC_NAME_MAX"):
        raise unusable(path, field, OSError(0, "the name is too long for a manifest beside it"))


def _existing(path: Path) -> Path:
    return next(each for each in path.absolute().parents if each.exists())
