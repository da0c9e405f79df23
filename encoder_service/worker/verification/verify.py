"""Checks artifacts against their manifest: hashes, completeness, and every frame decoded again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path, PurePosixPath

import msgspec

from encoder_service.evidence.checksum import sha256_file
from encoder_service.evidence.facts import ColorTags, Readback, SoundReport
from encoder_service.evidence.manifest import (
    FILE_NAME,
    STAGE_LOG_NAME,
    JobOutcome,
    Manifest,
    ManifestError,
    Output,
    OutputFile,
    StageStatus,
    read_manifest,
)
from encoder_service.worker.audio.proof import HeardSound
from encoder_service.worker.verification.inspection import DamagedError, Inspection, inspect

_SINGLE_PICTURES = {"poster", "contact_sheet"}
_SOUND_ALONE = {"wav", "flac", "m4a", "opus"}
_DURATION_TOLERANCE_SECONDS = 0.002
"""Containers that count milliseconds round each timestamp."""
_BESIDE = f".{FILE_NAME}"
"""What a file's own name is followed by in the name of the manifest that lies beside it."""
_LEVELS_UP = 3
"""How far above an artifact its manifest is looked for."""


class FindingCode(StrEnum):
    """What can be wrong with a job's directory."""

    NO_MANIFEST = "NO_MANIFEST"
    BAD_MANIFEST = "BAD_MANIFEST"
    INCONSISTENT_MANIFEST = "INCONSISTENT_MANIFEST"
    MISSING_FILE = "MISSING_FILE"
    UNLISTED_FILE = "UNLISTED_FILE"
    SIZE_DIFFERS = "SIZE_DIFFERS"
    HASH_DIFFERS = "HASH_DIFFERS"
    DAMAGED = "DAMAGED"
    FRAMES_DIFFER = "FRAMES_DIFFER"
    PICTURE_SIZE_DIFFERS = "PICTURE_SIZE_DIFFERS"
    DURATION_DIFFERS = "DURATION_DIFFERS"
    LOOPS_DIFFER = "LOOPS_DIFFER"
    COLOR_DIFFERS = "COLOR_DIFFERS"
    ALPHA_DIFFERS = "ALPHA_DIFFERS"
    SOUND_DIFFERS = "SOUND_DIFFERS"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    code: FindingCode
    path: str
    """The file it is about."""
    message: str


class Verification(msgspec.Struct, frozen=True):
    """What was checked, and everything that is wrong."""

    manifests: tuple[Path, ...]
    """Every manifest that was checked."""
    files_checked: int
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(path: Path) -> Verification:
    """Checks a manifest, a job directory, a directory of those, or one artifact beside its manifest.

    Whatever is wrong is a finding; only a path that cannot be read at all raises OSError.
    """
    if path.is_file() and path.name.endswith(_BESIDE):
        return _verify_beside(path)
    if path.is_file() and path.name != FILE_NAME:
        own = path.with_name(path.name + _BESIDE)
        return _verify_beside(own) if own.is_file() else _verify_artifact(path)
    manifests = _find_manifests(path)
    alone = [] if path.is_file() or manifests else sorted(path.glob(f"*{_BESIDE}"))
    if alone:
        return _joined([_verify_beside(each) for each in alone])
    if not manifests:
        finding = Finding(FindingCode.NO_MANIFEST, str(path), f"there is no {FILE_NAME} here")
        return Verification((), 0, (finding,))
    return _joined([_verify_job(manifest) for manifest in manifests])


def _joined(parts: list[Verification]) -> Verification:
    return Verification(
        manifests=tuple(manifest for part in parts for manifest in part.manifests),
        files_checked=sum(part.files_checked for part in parts),
        findings=tuple(finding for part in parts for finding in part.findings),
    )


def _find_manifests(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_file():
        return [path]
    if (path / FILE_NAME).is_file():
        return [path / FILE_NAME]
    return sorted(path.glob(f"*/{FILE_NAME}"))


def _verify_beside(manifest_path: Path) -> Verification:
    """Checks the file that was asked for by its own name, with its manifest: it is its job's only one."""
    manifest = _read(manifest_path)
    if isinstance(manifest, Finding):
        return Verification((manifest_path,), 0, (manifest,))
    path = manifest_path.with_name(manifest_path.name.removesuffix(_BESIDE))
    findings = [
        Finding(FindingCode.INCONSISTENT_MANIFEST, str(manifest_path), message)
        for message in _contradictions(manifest)
    ]
    primary = [(file, output) for output in manifest.outputs for file in output.files if file.is_primary]
    if len(primary) != 1:
        message = f"it speaks of {len(primary)} files, and lies beside one"
        findings.append(Finding(FindingCode.INCONSISTENT_MANIFEST, str(manifest_path), message))
    else:
        findings += _check_file(path, *primary[0])
    return Verification((manifest_path,), len(primary), tuple(findings))


def _verify_artifact(path: Path) -> Verification:
    """Checks one file; the rest of its job stays unread."""
    path = path.absolute()
    for directory in list(path.parents)[:_LEVELS_UP]:
        manifest_path = directory / FILE_NAME
        if not manifest_path.is_file():
            continue
        manifest = _read(manifest_path)
        if isinstance(manifest, Finding):
            return Verification((manifest_path,), 0, (manifest,))
        relative = path.relative_to(directory).as_posix()
        for output in manifest.outputs:
            for file in output.files:
                if file.path == relative:
                    return Verification((manifest_path,), 1, tuple(_check_file(path, file, output)))
        finding = Finding(FindingCode.UNLISTED_FILE, str(path), "the manifest does not know this file")
        return Verification((manifest_path,), 0, (finding,))
    finding = Finding(FindingCode.NO_MANIFEST, str(path), f"there is no {FILE_NAME} beside or above it")
    return Verification((), 0, (finding,))


def _verify_job(manifest_path: Path) -> Verification:
    manifest = _read(manifest_path)
    if isinstance(manifest, Finding):
        return Verification((manifest_path,), 0, (manifest,))
    directory = manifest_path.parent
    findings = [
        Finding(FindingCode.INCONSISTENT_MANIFEST, str(manifest_path), message)
        for message in _contradictions(manifest)
    ]
    findings += _unlisted(directory, manifest)
    count = 0
    for output in manifest.outputs:
        for file in _expected_files(directory, output):
            if _is_below(file.path):
                findings += _check_file(directory / file.path, file, output)
                count += 1
    return Verification((manifest_path,), count, tuple(findings))


def _expected_files(directory: Path, output: Output) -> tuple[OutputFile, ...]:
    """All files of an output; of a sequence that was downloaded as its zip, the zip alone, and of one that
    was unpacked the single files alone.

    The zip holds the single files, and its own hash vouches for them. A download has no stage.log; in a
    job directory, or beside some of its frames, every file that is missing is a finding.
    """
    if (directory / STAGE_LOG_NAME).exists():
        return output.files
    primary = tuple(file for file in output.files if file.is_primary)
    single = [file for file in output.files if not file.is_primary and _is_below(file.path)]
    is_copy = bool(primary and single) and not any((directory / file.path).exists() for file in single)
    if is_copy:
        return primary
    is_unpacked = bool(single) and not any((directory / file.path).exists() for file in primary)
    return tuple(single) if is_unpacked else output.files


def _read(path: Path) -> Manifest | Finding:
    try:
        return read_manifest(path)
    except ManifestError as error:
        return Finding(FindingCode.BAD_MANIFEST, str(path), str(error))


def _contradictions(manifest: Manifest) -> list[str]:
    found = []
    succeeded = [output for output in manifest.outputs if output.status is StageStatus.SUCCESS]
    if manifest.state is JobOutcome.SUCCEEDED and len(succeeded) != len(manifest.outputs):
        found.append("the job has succeeded and some output has not")
    found += [
        f"output {output.name} names {file.path!r}, which is not below the job directory"
        for output in manifest.outputs
        for file in output.files
        if not _is_below(file.path)
    ]
    for output in succeeded:
        frames = output.frames
        if not output.files or output.readback is None or frames is None:
            found.append(f"output {output.name} has succeeded without files or evidence")
        elif frames.encoded != frames.decoded or (
            output.format not in _SINGLE_PICTURES | _SOUND_ALONE
            and not frames.sent == frames.read == frames.encoded + frames.cut
        ):
            found.append(
                f"output {output.name}: {frames.sent} frames were sent, {frames.read} read, "
                f"{frames.encoded} encoded and {frames.decoded} decoded"
            )
    return found


def _is_below(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts


def _unlisted(directory: Path, manifest: Manifest) -> list[Finding]:
    listed = {FILE_NAME, STAGE_LOG_NAME}
    listed |= {file.path for output in manifest.outputs for file in output.files}
    listed |= {file.path for file in manifest.intermediate_files if file.is_retained}
    return [
        Finding(FindingCode.UNLISTED_FILE, str(path), "the manifest does not know this file")
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.relative_to(directory).as_posix() not in listed
    ]


def _check_file(path: Path, file: OutputFile, output: Output) -> list[Finding]:
    if not path.is_file():
        return [Finding(FindingCode.MISSING_FILE, str(path), f"output {output.name} is missing this file")]
    findings = []
    size_bytes = path.stat().st_size
    if size_bytes != file.size_bytes:
        message = f"it has {size_bytes} bytes; the manifest says {file.size_bytes}"
        findings.append(Finding(FindingCode.SIZE_DIFFERS, str(path), message))
    found = sha256_file(path)
    if found != file.sha256:
        message = f"its SHA-256 is {found}; the manifest says {file.sha256}"
        findings.append(Finding(FindingCode.HASH_DIFFERS, str(path), message))
    try:
        inspection = inspect(path, output.format)
    except DamagedError as error:
        return [*findings, Finding(FindingCode.DAMAGED, str(path), str(error))]
    if output.readback is not None:
        findings += _compare(path, file, output.readback, inspection)
    if (difference := _sound_difference(output.sound, inspection.sound)) and file.is_primary:
        findings.append(Finding(FindingCode.SOUND_DIFFERS, str(path), difference))
    return findings


def _sound_difference(said: SoundReport | None, found: HeardSound | None) -> str:
    """What of the sound is not as the manifest says, in words; empty: nothing."""
    if said is None or found is None:
        there, expected = ("sound" if each is not None else "no sound" for each in (found, said))
        return "" if there == expected else f"found {there}; the manifest says {expected}"
    heard = found.content
    pairs = {
        "samples": (heard.samples, said.samples_decoded),
        "Hz": (heard.sample_rate, said.sample_rate),
        "as SHA-256 of the samples": (found.pcm_sha256, said.pcm_sha256 or found.pcm_sha256),
    }
    return "; ".join(
        f"found {there} {what}; the manifest says {expected}"
        for what, (there, expected) in pairs.items()
        if there != expected
    )


def _compare(path: Path, file: OutputFile, said: Readback, found: Inspection) -> list[Finding]:
    """Holds what was decoded against what the manifest says was read back."""
    findings = []

    def differs(code: FindingCode, there: object, expected: object) -> None:
        findings.append(Finding(code, str(path), f"found {there}; the manifest says {expected}"))

    frames = said.frame_count if file.is_primary else 1
    if found.frame_count != frames:
        differs(FindingCode.FRAMES_DIFFER, found.frame_count, frames)
    if found.width and (found.width, found.height) != (said.width, said.height):
        differs(
            FindingCode.PICTURE_SIZE_DIFFERS,
            f"{found.width} x {found.height}",
            f"{said.width} x {said.height}",
        )
    if (
        found.duration_seconds is not None
        and frames > 1
        and abs(found.duration_seconds - said.duration_seconds) > _DURATION_TOLERANCE_SECONDS
    ):
        differs(FindingCode.DURATION_DIFFERS, f"{found.duration_seconds} s", f"{said.duration_seconds} s")
    if found.loop_count is not None and found.loop_count != said.loop_count:
        differs(FindingCode.LOOPS_DIFFER, found.loop_count, said.loop_count)
    if found.color is not None and not _is_same_color(found.color, said.color_container):
        differs(FindingCode.COLOR_DIFFERS, found.color, said.color_container)
    if found.has_alpha is not None and found.has_alpha != said.has_alpha:
        words = {True: "with alpha", False: "without alpha"}
        differs(FindingCode.ALPHA_DIFFERS, words[found.has_alpha], words[said.has_alpha])
    return findings


def _is_same_color(found: ColorTags, said: ColorTags) -> bool:
    """A reader may know more than the container says, but nothing else."""
    pairs = zip(msgspec.structs.astuple(found), msgspec.structs.astuple(said), strict=True)
    return all(expected in {"unknown", there} for there, expected in pairs)
