"""Faults on purpose happen in a real worker, where and when they are asked for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker.failpoint import Failpoint, FailpointAction, parse_failpoint
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker_driver import WorkerDriver

VIDEO = VideoSpec(48, 32, PixelFormat.RGB24, Rational(24))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "video.raw"
    path.write_bytes(gradient_clip(6).tobytes())
    return path


def test_faults_are_read_and_nonsense_is_refused() -> None:
    assert parse_failpoint("") is None
    assert parse_failpoint("abort_at_frame:7") == Failpoint(FailpointAction.ABORT, 7)
    assert parse_failpoint("slow:20@clip") == Failpoint(FailpointAction.SLOW, 20, "clip")
    for wrong in ("explode:3", "abort_at_frame", "abort_at_frame:x"):
        with pytest.raises(ValueError):
            parse_failpoint(wrong)


def test_an_aborting_codec_kills_the_worker(tmp_path: Path, spool: Path) -> None:
    with WorkerDriver(TELECINE_WORKER_FAULT="abort_at_frame:3") as worker:
        with pytest.raises(EOFError):
            worker.produce(VIDEO, OutputSpec("clip", "mp4"), spool, tmp_path / "out", 6)
        assert worker.exit_code == -signal.SIGABRT


def test_a_fault_of_the_first_attempt_spares_the_second_and_other_outputs(
    tmp_path: Path, spool: Path
) -> None:
    with WorkerDriver(TELECINE_WORKER_FAULT="abort_once_at_frame:3@clip") as worker:
        other = worker.produce(VIDEO, OutputSpec("other", "mp4"), spool, tmp_path / "other", 6)
        again = worker.produce(VIDEO, OutputSpec("clip", "mp4"), spool, tmp_path / "out", 6, attempt=2)
    assert isinstance(other, Produced)
    assert isinstance(again, Produced)


@pytest.mark.parametrize(
    ("fault", "code"), [("fail_at_frame:2", "INTERNAL"), ("disk_full_at_frame:2", "DISK_FULL")]
)
def test_errors_inside_a_worker_are_answered_and_leave_no_file(
    tmp_path: Path, spool: Path, fault: str, code: str
) -> None:
    directory = tmp_path / "out"
    with WorkerDriver(TELECINE_WORKER_FAULT=fault) as worker:
        answer = worker.produce(VIDEO, OutputSpec("clip", "mp4"), spool, directory, 6)
    assert isinstance(answer, Failed)
    assert (answer.code, answer.is_retryable) == (code, True)
    assert list(directory.iterdir()) == []
