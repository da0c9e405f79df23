"""The manifest says what happened, in the words of its published schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from docs.tools.schemas import MANIFEST_PATH
from encoder_service.evidence.building import (
    AttemptEvidence,
    JobEvidence,
    OutputEvidence,
    RaisedWarning,
    build_manifest,
)
from encoder_service.evidence.facts import (
    ColorTags,
    EncoderReport,
    Failed,
    Phases,
    Produced,
    ProducedFile,
    QualityReport,
    Readback,
    Resources,
    WarningEntry,
)
from encoder_service.evidence.manifest import (
    Build,
    IntermediateFile,
    JobOutcome,
    Problem,
    StageStatus,
    decode_manifest,
    encode_manifest,
)
from encoder_service.spec.spec import JobSpec, OutputSpec, PixelFormat, Rational, VideoSpec

SECOND = 1_000_000_000
START = 1_764_252_556_123_456_789
VIDEO = VideoSpec(16, 8, PixelFormat.RGB24, Rational(24000, 1001))
FRAMES = 5


def produced(name: str = "mp4", **changes: Any) -> Produced:
    result = Produced(
        files=(ProducedFile(f"{name}.mp4", 1234, "ab" * 32, "video/mp4"),),
        encoder=EncoderReport("libx264", "h264", "mp4", "yuv420p", {"crf": "18"}, 2, {"libavcodec": "62.1"}),
        readback=Readback(
            FRAMES, 16, 8, "yuv420p", FRAMES * 1001 / 24000, VIDEO.frame_rate, ColorTags("bt709", "bt709")
        ),
        quality=QualityReport((0, 4), 0.5, 3, 48.0, 0.99),
        frames_read=FRAMES,
        frames_encoded=FRAMES,
        frames_decoded=FRAMES,
        resources=Resources(1.5, 1000),
        phases=Phases(0.1, 0.2, 0.3, 0.4),
    )
    return msgspec.structs.replace(result, **changes)


def failed(code: str = "CODEC_CRASHED", *, is_retryable: bool = True) -> Failed:
    return Failed(code, "the codec ended with signal 11", is_retryable, Resources(0.5, 4000))


def attempt(number: int, result: Produced | Failed) -> AttemptEvidence:
    return AttemptEvidence(
        number=number,
        started_at_unix_nano=START + number * SECOND,
        ended_at_unix_nano=START + number * SECOND + SECOND // 2,
        result=result,
    )


def job(*outputs: OutputEvidence, **changes: Any) -> JobEvidence:
    spec = JobSpec(
        "clip-1",
        VIDEO,
        tuple(evidence.output for evidence in outputs),
        metadata={"prompt": "a red fox", "seed": "7"},
        deadline_unix_nano=START + 60 * SECOND,
    )
    evidence = JobEvidence(
        spec=spec,
        outcome=JobOutcome.SUCCEEDED,
        created_at_unix_nano=START,
        received_at_unix_nano=START + SECOND // 4,
        ended_at_unix_nano=START + 10 * SECOND,
        bytes_received=VIDEO.frame_bytes * FRAMES,
        input_hash_hex="cd" * 32,
        spool_path="spool/clip-1.video",
        outputs=outputs,
        build=Build(telecine="0.1.0", python="3.11.9", platform="linux", libraries={"pillow": "11.0"}),
    )
    return msgspec.structs.replace(evidence, **changes)


def output(name: str, *results: Produced | Failed) -> OutputEvidence:
    return OutputEvidence(
        output=OutputSpec(name=name, format="mp4"),
        attempts=tuple(attempt(number, result) for number, result in enumerate(results, 1)),
    )


def as_json(evidence: JobEvidence) -> Any:
    data = json.loads(encode_manifest(build_manifest(evidence)))
    schema = json.loads(MANIFEST_PATH.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(data)
    return data


def test_a_job_that_succeeded_is_reported_in_full() -> None:
    data = as_json(job(output("mp4", produced())))
    assert data["schema"] == "urn:telecine:manifest:1"
    assert data["job_id"] == "clip-1"
    assert (data["stage"], data["stage_number"]) == ("encode", 1)
    assert (data["status"], data["state"]) == ("success", "succeeded")
    assert data["timestamp"] == "2025-11-27T14:09:16.123456Z"
    assert data["duration_seconds"] == 10
    assert data["completed_at"].startswith("2025-11-27T14:09:26.123456")
    assert data["inputs"][0]["hash"] == {"algorithm": "blake3", "hex": "cd" * 32}
    assert data["inputs"][0]["frame_count"] == FRAMES
    assert data["inputs"][0]["frame_rate"] == {"numerator": 24000, "denominator": 1001}
    made = data["outputs"][0]
    assert (made["path"], made["size_bytes"], made["sha256"]) == ("mp4.mp4", 1234, "ab" * 32)
    assert made["frames"] == {"sent": 5, "read": 5, "encoded": 5, "decoded": 5, "cut": 0}
    assert made["encoder"]["options"] == {"crf": "18"}
    assert made["readback"]["color_container"]["primaries"] == "bt709"
    assert data["phases"]["receive_seconds"] == 0.25
    assert data["phases"]["wait_seconds"] == 1
    assert data["build"]["libraries"] == {"libavcodec": "62.1", "pillow": "11.0"}
    assert data["metadata"] == {"prompt": "a red fox", "seed": "7"}
    assert data["errors"] == data["warnings"] == []


def test_every_attempt_costs_and_every_failure_stands_even_when_a_later_one_succeeds() -> None:
    data = as_json(job(output("mp4", failed(), produced())))
    assert data["outputs"][0]["status"] == "success"
    assert [entry["status"] for entry in data["outputs"][0]["attempts"]] == ["failed", "success"]
    assert data["resources"]["cpu_seconds"] == 2.0
    assert data["resources"]["peak_rss_bytes"] == 4000
    assert data["resources"]["bytes_received"] == VIDEO.frame_bytes * FRAMES
    assert data["resources"]["bytes_written"] == 1234
    (error,) = data["errors"]
    assert error["code"] == error["exception_type"] == "CODEC_CRASHED"
    assert error["exception_detail"] == "output mp4, attempt 1; another attempt may help"
    assert error["output"] == "mp4"


def test_an_output_that_failed_stands_in_its_place_with_its_reason_and_no_file() -> None:
    data = as_json(
        job(
            output("webm", failed("ENCODER_UNAVAILABLE", is_retryable=False)),
            output("mp4", produced()),
            outcome=JobOutcome.PARTIALLY_SUCCEEDED,
        )
    )
    assert (data["status"], data["state"]) == ("failed", "partially_succeeded")
    webm, mp4 = data["outputs"]
    assert (webm["name"], webm["status"], webm["path"], webm["files"]) == ("webm", "failed", None, [])
    assert webm["problem"]["code"] == "ENCODER_UNAVAILABLE"
    assert mp4["status"] == "success"


def test_a_cancelled_job_is_skipped_with_its_reason() -> None:
    data = as_json(
        job(
            output("mp4", Failed("CANCELLED", "cancelled by the client", is_retryable=False)),
            output("webm"),
            outcome=JobOutcome.CANCELLED,
            input_hash_hex="",
            problem=Problem("CANCELLED", "cancelled by the client"),
        )
    )
    assert (data["status"], data["state"]) == ("skipped", "cancelled")
    assert data["inputs"][0]["hash"] is None
    assert [entry["status"] for entry in data["outputs"]] == ["skipped", "skipped"]
    assert data["outputs"][1]["problem"]["code"] == "CANCELLED"
    assert data["phases"]["encode_seconds"] == 0
    assert data["errors"][-1]["exception_detail"] == "the job as a whole"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (JobOutcome.SUCCEEDED, StageStatus.SUCCESS),
        (JobOutcome.PARTIALLY_SUCCEEDED, StageStatus.FAILED),
        (JobOutcome.FAILED, StageStatus.FAILED),
        (JobOutcome.EXPIRED, StageStatus.FAILED),
        (JobOutcome.CANCELLED, StageStatus.SKIPPED),
    ],
)
def test_each_final_state_has_one_status_word(outcome: JobOutcome, status: StageStatus) -> None:
    assert build_manifest(job(output("mp4"), outcome=outcome)).status is status


def test_a_warning_stands_once_with_the_time_it_was_heard() -> None:
    entry = WarningEntry("ODD_SIZE_PADDED", "padded to 18x8")
    data = as_json(
        job(
            output("mp4", produced(warnings=(entry, WarningEntry("OTHER", "heard of at the end only")))),
            warnings=(
                RaisedWarning(
                    code=entry.code, message=entry.message, output="mp4", at_unix_nano=START + SECOND // 10
                ),
            ),
        )
    )
    assert [(line["code"], line["timestamp"]) for line in data["warnings"]] == [
        ("ODD_SIZE_PADDED", "2025-11-27T14:09:16.223456Z"),
        ("OTHER", "2025-11-27T14:09:17.623456Z"),
    ]


def test_a_sequence_lists_its_files_and_its_zip_is_the_primary_one() -> None:
    files = (
        ProducedFile("frames/frame_00000.png", 10, "11" * 32, "image/png", is_primary=False),
        ProducedFile("png.zip", 120, "22" * 32, "application/zip"),
    )
    data = as_json(job(output("png", produced(files=files))))
    assert data["outputs"][0]["path"] == "png.zip"
    assert [file["path"] for file in data["outputs"][0]["files"]] == ["frames/frame_00000.png", "png.zip"]


def test_intermediate_files_use_the_words_of_pipelines() -> None:
    spool = IntermediateFile(path="spool/x", is_retained=False, reason="raw frames", size_bytes=9)
    data = as_json(job(output("mp4", produced()), intermediate_files=(spool,)))
    assert data["intermediate_files"] == [
        {
            "type": "intermediate",
            "path": "spool/x",
            "retained": False,
            "reason": "raw frames",
            "size_bytes": 9,
        }
    ]


def test_the_same_evidence_gives_the_same_bytes_and_reads_back_equal() -> None:
    evidence = job(output("mp4", failed(), produced()))
    manifest = build_manifest(evidence)
    assert encode_manifest(manifest) == encode_manifest(build_manifest(evidence))
    assert encode_manifest(decode_manifest(encode_manifest(manifest))) == encode_manifest(manifest)
