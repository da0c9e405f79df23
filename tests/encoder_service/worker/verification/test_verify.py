"""`verify` finds nothing in what is true, and names everything that is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from encoder_service.evidence.building import AttemptEvidence, JobEvidence, OutputEvidence, build_manifest
from encoder_service.evidence.facts import Phases, Produced, Resources
from encoder_service.evidence.manifest import (
    Build,
    FrameCounts,
    JobOutcome,
    Manifest,
    encode_manifest,
    read_manifest,
)
from encoder_service.spec.spec import JobSpec, PixelFormat
from encoder_service.worker.verification.verify import FindingCode, Verification, verify
from tests.encoder_service.worker.outputs.drawing import Clip, Run, gradient_clip, run_writer

FRAMES = 7
FORMATS = ("mp4", "webm", "mkv", "webp", "gif", "apng", "avif", "png", "poster", "contact_sheet")


def evidence_of(run: Run) -> OutputEvidence:
    made = run.finished
    produced = Produced(
        files=made.files,
        encoder=made.encoder,
        readback=made.readback,
        quality=made.quality,
        frames_read=FRAMES,
        frames_encoded=made.frames_encoded,
        frames_decoded=made.frames_decoded,
        resources=Resources(1.0, 1),
        phases=Phases(0.0, 1.0, 0.0, 0.0),
    )
    attempt = AttemptEvidence(number=1, started_at_unix_nano=0, ended_at_unix_nano=1, result=produced)
    return OutputEvidence(output=run.context.output, attempts=(attempt,))


def write_job(
    directory: Path, clip: Clip, formats: tuple[str, ...], pixel_format: PixelFormat = PixelFormat.RGB24
) -> None:
    runs = [
        run_writer(directory, clip, pixel_format, format=name, name=name, loop_count=2) for name in formats
    ]
    video = runs[0].context.video
    job = JobEvidence(
        spec=JobSpec("clip", video, tuple(run.context.output for run in runs)),
        outcome=JobOutcome.SUCCEEDED,
        created_at_unix_nano=0,
        received_at_unix_nano=1,
        ended_at_unix_nano=2,
        bytes_received=video.frame_bytes * FRAMES,
        input_hash_hex="00" * 32,
        spool_path="spool",
        outputs=tuple(evidence_of(run) for run in runs),
        build=Build(telecine="0", python="3", platform="linux", libraries={}),
    )
    (directory / "manifest.json").write_bytes(encode_manifest(build_manifest(job)))
    (directory / "stage.log").write_text("done\n")


@pytest.fixture(scope="module")
def sound_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sound") / "20260101_000000_clip"
    directory.mkdir()
    write_job(directory, gradient_clip(FRAMES), FORMATS)
    return directory


@pytest.fixture
def job(sound_job: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound_job, tmp_path / "job"))


def codes(verification: Verification) -> set[FindingCode]:
    return {finding.code for finding in verification.findings}


def change_manifest(job: Path, change: Callable[[Manifest], Manifest]) -> None:
    path = job / "manifest.json"
    path.write_bytes(encode_manifest(change(read_manifest(path))))


def test_a_sound_job_has_no_findings(sound_job: Path) -> None:
    verification = verify(sound_job)
    assert verification.findings == ()
    assert verification.is_sound
    assert verification.files_checked == len(FORMATS) + FRAMES
    assert verify(sound_job / "manifest.json") == verification
    assert verify(sound_job.parent) == verification


@pytest.mark.parametrize("name", ["mp4.mp4", "webp.webp", "png.zip", "frames/frame_00003.png", "poster.jpg"])
def test_one_artifact_is_checked_against_the_manifest_above_it(sound_job: Path, name: str) -> None:
    verification = verify(sound_job / name)
    assert verification.findings == ()
    assert verification.files_checked == 1
    assert verification.manifests == (sound_job / "manifest.json",)


@pytest.mark.parametrize(
    "name",
    [
        "mp4.mp4",
        "webm.webm",
        "mkv.mkv",
        "webp.webp",
        "gif.gif",
        "apng.png",
        "png.zip",
        "frames/frame_00003.png",
        "poster.jpg",
        "contact_sheet.png",
    ],
)
def test_a_changed_byte_is_found(job: Path, name: str) -> None:
    data = bytearray((job / name).read_bytes())
    data[len(data) // 2] ^= 0x55
    (job / name).write_bytes(data)
    assert FindingCode.HASH_DIFFERS in codes(verify(job))
    assert FindingCode.HASH_DIFFERS in codes(verify(job / name))


@pytest.mark.parametrize("name", ["mp4.mp4", "webp.webp", "gif.gif", "apng.png", "png.zip", "poster.jpg"])
def test_a_file_cut_short_is_found_in_every_way(job: Path, name: str) -> None:
    data = (job / name).read_bytes()
    (job / name).write_bytes(data[: len(data) // 3])
    found = codes(verify(job))
    assert {FindingCode.HASH_DIFFERS, FindingCode.SIZE_DIFFERS} < found
    assert found & {FindingCode.DAMAGED, FindingCode.FRAMES_DIFFER}


def test_missing_and_unlisted_files_are_found(job: Path) -> None:
    (job / "webm.webm").unlink()
    (job / "frames" / "frame_00001.png").unlink()
    (job / "frames" / "frame_00009.png").write_bytes(b"")
    verification = verify(job)
    assert codes(verification) == {FindingCode.MISSING_FILE, FindingCode.UNLISTED_FILE}
    assert len(verification.findings) == 3
    assert codes(verify(job / "frames" / "frame_00009.png")) == {FindingCode.UNLISTED_FILE}


@pytest.mark.parametrize("name", ["mp4", "webp", "gif", "apng", "png"])
def test_a_manifest_that_states_other_frames_is_found(job: Path, name: str) -> None:
    def change(manifest: Manifest) -> Manifest:
        outputs = []
        for output in manifest.outputs:
            if output.name == name and output.readback is not None:
                readback = msgspec.structs.replace(output.readback, frame_count=FRAMES + 1)
                output = msgspec.structs.replace(output, readback=readback)
            outputs.append(output)
        return msgspec.structs.replace(manifest, outputs=tuple(outputs))

    change_manifest(job, change)
    assert codes(verify(job)) == {FindingCode.FRAMES_DIFFER}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"duration_seconds": 9.0}, FindingCode.DURATION_DIFFERS),
        ({"width": 2}, FindingCode.PICTURE_SIZE_DIFFERS),
        ({"loop_count": 77}, FindingCode.LOOPS_DIFFER),
    ],
)
def test_a_manifest_that_states_anything_else_is_found(
    job: Path, fields: dict[str, object], code: FindingCode
) -> None:
    def change(manifest: Manifest) -> Manifest:
        outputs = tuple(
            msgspec.structs.replace(output, readback=msgspec.structs.replace(output.readback, **fields))
            if output.name == "webp" and output.readback is not None
            else output
            for output in manifest.outputs
        )
        return msgspec.structs.replace(manifest, outputs=outputs)

    change_manifest(job, change)
    assert codes(verify(job)) == {code}


def test_other_colour_tags_are_found(job: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        first = manifest.outputs[0]
        assert first.readback is not None
        tags = msgspec.structs.replace(first.readback.color_container, matrix="bt470bg")
        readback = msgspec.structs.replace(first.readback, color_container=tags)
        outputs = (msgspec.structs.replace(first, readback=readback), *manifest.outputs[1:])
        return msgspec.structs.replace(manifest, outputs=outputs)

    change_manifest(job, change)
    assert codes(verify(job)) == {FindingCode.COLOR_DIFFERS}


@pytest.mark.parametrize("name", ["webm", "mov"])
def test_alpha_is_looked_for_where_a_decoder_sees_it(tmp_path: Path, name: str) -> None:
    write_job(tmp_path, gradient_clip(FRAMES, channels=4), (name,), PixelFormat.RGBA)
    assert not codes(verify(tmp_path))

    def change(manifest: Manifest) -> Manifest:
        (output,) = manifest.outputs
        assert output.readback is not None
        assert output.readback.has_alpha
        readback = msgspec.structs.replace(output.readback, has_alpha=False)
        return msgspec.structs.replace(
            manifest, outputs=(msgspec.structs.replace(output, readback=readback),)
        )

    change_manifest(tmp_path, change)
    assert codes(verify(tmp_path)) == {FindingCode.ALPHA_DIFFERS}


def test_a_manifest_that_contradicts_itself_is_found(job: Path) -> None:
    def change(manifest: Manifest) -> Manifest:
        counts = FrameCounts(sent=FRAMES, read=FRAMES - 1, encoded=FRAMES - 1, decoded=FRAMES - 1)
        first = msgspec.structs.replace(manifest.outputs[0], frames=counts)
        outside = msgspec.structs.replace(manifest.outputs[1].files[0], path="../elsewhere")
        second = msgspec.structs.replace(manifest.outputs[1], files=(outside,))
        return msgspec.structs.replace(manifest, outputs=(first, second, *manifest.outputs[2:]))

    change_manifest(job, change)
    verification = verify(job)
    assert codes(verification) == {FindingCode.INCONSISTENT_MANIFEST, FindingCode.UNLISTED_FILE}
    assert "7 frames were sent, 6 read" in verification.findings[1].message


def test_where_no_manifest_is_there_is_one_finding(tmp_path: Path) -> None:
    assert codes(verify(tmp_path)) == {FindingCode.NO_MANIFEST}
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert codes(verify(tmp_path / "a.mp4")) == {FindingCode.NO_MANIFEST}
    (tmp_path / "manifest.json").write_text("{}")
    assert codes(verify(tmp_path)) == codes(verify(tmp_path / "a.mp4")) == {FindingCode.BAD_MANIFEST}
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "nowhere")


def test_a_sequence_that_was_downloaded_as_its_zip_is_complete(job: Path) -> None:
    shutil.rmtree(job / "frames")
    (job / "stage.log").write_text("")
    assert FindingCode.MISSING_FILE in codes(verify(job)), "the service's own directory must have every file"
    (job / "stage.log").unlink()
    assert verify(job).findings == ()
