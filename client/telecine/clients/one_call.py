"""`telecine.save_generation`: a clip and its metadata into one timestamped directory, in one call."""

from __future__ import annotations

import asyncio
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack, cast

from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.plan import JobArguments, checked_job_id
from telecine.clients.settings import OUTPUT_DIRECTORY
from telecine.exceptions import JobIncompleteError, TelecineError
from telecine.request.options import Output, OutputLike, Quality, as_outputs
from telecine.request.rates import FrameRate
from telecine.results.download import MANIFEST, below
from telecine.results.target import directory_of
from telecine.results.values import EncodeResult

FORMATS = ("png", "webp", "mp4", "webm")
"""What is saved by default."""
SKIPPED = "OUTPUT_SKIPPED"
_FILE_NAMES = {
    **dict.fromkeys(("mp4", "webm", "mov", "mkv"), "video"),
    **dict.fromkeys(("webp", "gif", "apng", "avif"), "animation"),
    **dict.fromkeys(("wav", "flac", "m4a", "opus"), "sound"),
}
"""What files are called whose output has no name of its own."""
_SEQUENCE = "png"
_FRAMES = "frames"


@dataclass(frozen=True, slots=True)
class SavedGeneration:
    """What `save_generation` has saved, and where."""

    directory: Path
    """`<base_dir>/<YYYYMMDD_HHMMSS>/` (UTC): the files, `frames/` and manifest.json."""
    files: Mapping[str, tuple[Path, ...]]
    """The files of each format; of "png" the single frames, in order."""
    skipped: Mapping[str, str]
    """Formats that could not be made here, and why; each is a warning in the manifest too."""
    result: EncodeResult
    """The job, its warnings and its manifest."""

    @property
    def manifest_path(self) -> Path:
        """The path of the manifest: metadata, settings, hashes, warnings."""
        return self.directory / MANIFEST

    def __getitem__(self, format_name: str) -> tuple[Path, ...]:
        """The files of a format: `saved["mp4"][0]`. Raises KeyError for one that was not made."""
        return self.files[format_name]


def save_generation(
    frames: object,
    metadata: Mapping[str, object] | None = None,
    formats: OutputLike | Sequence[OutputLike] = FORMATS,
    fps: FrameRate = 16,
    *,
    base_dir: str | Path = "outputs",
    prefix: str = "",
    quality: Quality | str = Quality.HIGH,
    bit_rate: int | str = 0,
    server: str | None = None,
    allow_partial: bool = False,
    now: datetime | None = None,
    **arguments: object,
) -> SavedGeneration:
    """Saves a clip in several formats, with a manifest, in a new directory named after the time.

    A format that the server does not know, or has no encoder for, is skipped with a warning in the
    manifest. Only if none is left is that an error.

    Args:
        frames: What `Client.encode` takes: arrays, tensors, PIL images (an animated one is a clip), or an
            iterable of those.
        metadata: The caller's own data (prompt, seed, model ...), for the manifest. None: none.
        formats: Format names, or `Output`s where one needs settings of its own.
        fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
        base_dir: The directory in which the new one, `<YYYYMMDD_HHMMSS>` (UTC), is made.
        prefix: Begins the names of the files ("fox_video.mp4", "frames/fox_00000.png"). Empty: no prefix.
        quality: Quality of the formats that are given by name.
        bit_rate: Bits per second, such as 2_000_000 or "2M", of the video formats that are given by name.
            0: by quality.
        server: "host:port" or "unix:/path". None: the configured one, else an embedded server, which then
            keeps no copy.
        allow_partial: Return what was made, even if some outputs failed, instead of raising.
        now: The time that names the directory. None: the present.
        **arguments: The optional settings of a job, as in `Client.encode`; see `JobArguments`.

    Raises:
        TelecineError: Everything that `Client.encode` raises. After JobIncompleteError the outputs that
            were made are in place.
    """
    outputs = tuple(_named(output, prefix, quality, bit_rate) for output in _settled(formats))
    job = cast(JobArguments, {"skip_unavailable": True, **arguments, "metadata": metadata or {}})
    base = directory_of(base_dir, "base_dir") or Path()
    with _new_directory(base, now or datetime.now(UTC)) as directory:
        return _encode_into(directory, frames, fps, outputs, server, job, allow_partial=allow_partial)


async def save_generation_async(
    frames: object,
    metadata: Mapping[str, object] | None = None,
    formats: OutputLike | Sequence[OutputLike] = FORMATS,
    fps: FrameRate = 16,
    *,
    base_dir: str | Path = "outputs",
    prefix: str = "",
    quality: Quality | str = Quality.HIGH,
    bit_rate: int | str = 0,
    server: str | None = None,
    allow_partial: bool = False,
    now: datetime | None = None,
    **arguments: object,
) -> SavedGeneration:
    """Saves a clip in several formats, with a manifest, in a new directory: `save_generation` for asyncio.

    A task that is cancelled cancels the job, and leaves no empty directory.

    Args:
        frames: What `AsyncClient.encode` takes, asynchronous iterables too.
        metadata: The caller's own data (prompt, seed, model ...), for the manifest. None: none.
        formats: Format names, or `Output`s where one needs settings of its own.
        fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
        base_dir: The directory in which the new one, `<YYYYMMDD_HHMMSS>` (UTC), is made.
        prefix: Begins the names of the files ("fox_video.mp4", "frames/fox_00000.png"). Empty: no prefix.
        quality: Quality of the formats that are given by name.
        bit_rate: Bits per second of the video formats that are given by name. 0: by quality.
        server: "host:port" or "unix:/path". None: the configured one, else an embedded server, which then
            keeps no copy.
        allow_partial: Return what was made, even if some outputs failed, instead of raising.
        now: The time that names the directory. None: the present.
        **arguments: The optional settings of a job, as in `AsyncClient.encode`; see `JobArguments`.

    Raises:
        TelecineError: Everything that `AsyncClient.encode` raises. After JobIncompleteError the outputs that
            were made are in place.
    """
    outputs = tuple(_named(output, prefix, quality, bit_rate) for output in _settled(formats))
    job = cast(JobArguments, {"skip_unavailable": True, **arguments, "metadata": metadata or {}})
    base = directory_of(base_dir, "base_dir") or Path()
    with _new_directory(base, now or datetime.now(UTC)) as directory:
        encoding = _encode_into_async(
            directory, frames, fps, outputs, server, job, allow_partial=allow_partial
        )
        return await encoding


def _encode_into(
    directory: Path,
    frames: object,
    fps: FrameRate,
    outputs: Sequence[Output],
    server: str | None,
    job: JobArguments,
    *,
    allow_partial: bool,
) -> SavedGeneration:
    try:
        with Client(server) as client:
            result = client.encode(
                frames, fps=fps, outputs=outputs, to=directory, allow_partial=allow_partial, **job
            )
            if client.settings.server is None:
                _forget(client, result.job_id)
    except JobIncompleteError as error:
        if error.result is not None:
            _saved(directory, outputs, error.result)
        raise
    return _saved(directory, outputs, result)


async def _encode_into_async(
    directory: Path,
    frames: object,
    fps: FrameRate,
    outputs: Sequence[Output],
    server: str | None,
    job: JobArguments,
    *,
    allow_partial: bool,
) -> SavedGeneration:
    try:
        async with AsyncClient(server) as client:
            result = await client.encode(
                frames, fps=fps, outputs=outputs, to=directory, allow_partial=allow_partial, **job
            )
            if client.settings.server is None:
                with suppress(TelecineError):  # the embedded server goes, and its copy with it
                    await client.delete_job(result.job_id)
    except JobIncompleteError as error:
        if error.result is not None:
            await asyncio.to_thread(_saved, directory, outputs, error.result)
        raise
    return await asyncio.to_thread(_saved, directory, outputs, result)


def _saved(directory: Path, outputs: Sequence[Output], result: EncodeResult) -> SavedGeneration:
    names = {output.name: output.format for output in outputs}
    sequences = [artifact.path for artifact in result.artifacts if names[artifact.output] == _SEQUENCE]
    frames_of = _unpack(directory, sequences)
    files: dict[str, tuple[Path, ...]] = {}
    for artifact in result.artifacts:
        found = frames_of.get(artifact.path) or (below(directory, artifact.path),)
        format_name = names[artifact.output]
        files[format_name] = (*files.get(format_name, ()), *found)
    skipped = {names[w.output]: w.message for w in result.warnings if w.code == SKIPPED}
    return SavedGeneration(directory, files, skipped, result)


def _settled(formats: OutputLike | Sequence[OutputLike]) -> tuple[tuple[Output, bool], ...]:
    """Each output, and whether it was given by its name alone."""
    listed = [formats] if isinstance(formats, Output | str) else list(formats)
    outputs = as_outputs(listed)
    return tuple((output, isinstance(given, str)) for output, given in zip(outputs, listed, strict=True))


def _named(item: tuple[Output, bool], prefix: str, quality: Quality | str, bit_rate: int | str) -> Output:
    output, is_plain = item
    if is_plain:
        is_video = output.format in {"mp4", "webm", "mov", "mkv"}
        output = replace(output, quality=quality, bit_rate=bit_rate if is_video else 0)
    name = output.name or (f"{prefix}_{output.format}" if prefix else output.format)
    kind = "" if output.name else _FILE_NAMES.get(output.format, output.format)
    file_name = output.file_name or (f"{prefix}_{kind}" if prefix and kind else kind)
    return replace(output, name=name, prefix=output.prefix or prefix, file_name=file_name)


@contextmanager
def _new_directory(base: Path, now: datetime) -> Iterator[Path]:
    """The directory of this moment. What was made goes again where the block fails, if it is empty."""
    missing = [each for each in (base, *base.parents) if not each.exists()]
    directory = _made(base, now)
    try:
        yield directory
    except BaseException:
        for each in (directory, *missing):
            _remove_if_empty(each)
        raise


def _made(base: Path, now: datetime) -> Path:
    """Makes the directory of this moment; numbered where another one has it."""
    stamp = now.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
    number = 1
    while True:
        base.mkdir(parents=True, exist_ok=True)
        directory = base / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            directory.mkdir()
        except FileExistsError:
            number += 1
        except FileNotFoundError:
            continue  # another call has failed, and has removed the base that it had made
        else:
            return directory


def _unpack(directory: Path, archives: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """Replaces zips by the frames in them, all at once: a reader sees either."""
    part = directory / f"{_FRAMES}.part"
    found: dict[str, tuple[Path, ...]] = {}
    for path in archives:
        with zipfile.ZipFile(below(directory, path)) as archive:
            for name in archive.namelist():
                target = below(part, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
            found[path] = tuple(below(directory, name) for name in archive.namelist())
    if part.exists():
        (part / _FRAMES).replace(directory / _FRAMES)
        part.rmdir()
    for path in archives:
        below(directory, path).unlink()
    return found


def _forget(client: Client, job_id: str) -> None:
    try:
        client.delete_job(job_id)
    except TelecineError:
        pass  # the embedded server goes, and its copy with it


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        pass


def encode(
    frames: object,
    *,
    fps: FrameRate,
    outputs: OutputLike | Sequence[OutputLike] | None = None,
    to: str | Path | None = None,
    server: str | None = None,
    allow_partial: bool = False,
    **arguments: Unpack[JobArguments],
) -> EncodeResult:
    """Encodes frames and puts the artifacts with their manifest into `to`: a directory, or "clip.mp4".

    Each call opens a connection of its own; keep a `Client` to encode many clips.

    Args:
        frames: Arrays of shape (T, H, W, C), (H, W, C), (T, H, W) or (H, W); torch tensors on any device;
            PIL images; `bytes` of raw frames (with `width`, `height` and `pixel_format`); or an iterable of
            those. Samples are uint8, uint16, or floats from 0 to 1.
        fps: Frames per second: a number, a fraction such as "24000/1001", or a `Fraction`.
        outputs: What to make: format names ("mp4") or `Output`s, one or several. None: what the name `to`
            ends with, else "mp4".
        to: "clip.mp4": that file, of the only output, with `clip.mp4.manifest.json` beside it; else the
            directory for the artifacts and the manifest. None: `telecine-output/<job_id>`.
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER), else an embedded
            server.
        allow_partial: Return the outputs that were made, even if others failed, instead of raising.
        **arguments: The optional settings of a job, such as `metadata`, `job_id` or `on_progress`; see
            `JobArguments`.

    Returns:
        The ended job with its artifacts (each with `local_path`), warnings and manifest.

    Raises:
        InvalidFramesError: The frames have a shape, type or size that cannot be taken.
        InvalidRequestError: An argument is wrong.
        EmbeddedUnavailableError: No server is named, and the embedded one cannot be started.
        JobIncompleteError: Some outputs failed, and `allow_partial` is False.
        JobFailedError: No output could be made.
        LaterError: The server could not be reached, or has no room, for too long.
    """
    arguments["job_id"] = checked_job_id(arguments.get("job_id") or "")
    directory = Path(OUTPUT_DIRECTORY, arguments["job_id"]) if to is None else to
    with Client(server) as client:
        return client.encode(
            frames, fps=fps, outputs=outputs, to=directory, allow_partial=allow_partial, **arguments
        )
