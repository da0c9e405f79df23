"""The worker program, driven over real pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoder_service.evidence.facts import Failed, Produced
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker_protocol import (
    Assignment,
    Cancel,
    HighWatermark,
    Logged,
    OutputPhase,
    Probe,
    Probed,
    Progress,
    Warned,
)
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker_driver import WorkerDriver
from tests.eventually import eventually

FRAMES = 12
VIDEO = VideoSpec(48, 32, PixelFormat.RGB24, Rational(24))
MP4 = OutputSpec("clip", "mp4")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "video.raw"
    path.write_bytes(gradient_clip(FRAMES).tobytes())
    return path


def test_each_assignment_is_measured(tmp_path: Path, spool: Path) -> None:
    with WorkerDriver() as worker:
        answers = [
            worker.produce(VIDEO, OutputSpec("clip", name), spool, tmp_path / name, FRAMES)
            for name in ("mp4", "webm", "mkv", "mov")
        ]
    for answer, name in zip(answers, ("mp4", "webm", "mkv", "mov"), strict=True):
        assert isinstance(answer, Produced)
        assert (answer.frames_read, answer.frames_encoded, answer.frames_decoded) == (FRAMES,) * 3
        assert answer.resources.cpu_seconds > 0
        assert answer.resources.peak_rss_bytes > 1 << 20
        assert (tmp_path / name / answer.files[0].path).stat().st_size == answer.files[0].size_bytes
    phases = [event.phase for event in worker.events if isinstance(event, Progress)]
    assert phases.count(OutputPhase.VERIFYING) >= 4
    assert any(isinstance(event, Logged) for event in worker.events)


def test_how_frames_arrive_never_changes_the_artifact(tmp_path: Path) -> None:
    clip = gradient_clip(FRAMES).tobytes()
    hashes = set()
    for name, steps in (
        ("at_once", [FRAMES]),
        ("one_by_one", list(range(1, FRAMES + 1))),
        ("late", [0, 5, 5, FRAMES]),
    ):
        spool, directory = tmp_path / f"{name}.raw", tmp_path / name
        directory.mkdir()
        spool.write_bytes(b"")
        with WorkerDriver() as worker, spool.open("ab", buffering=0) as file:
            worker.send(Assignment("job", MP4, VIDEO, str(spool), str(directory), threads=2))
            written = 0
            for frames in steps:
                # A cut inside a frame: the extent counts whole ones alone.
                upto = min(len(clip), frames * VIDEO.frame_bytes + 17)
                file.write(clip[written:upto])
                written = max(written, upto)
                worker.send(HighWatermark(frames, is_complete=False))
            worker.send(HighWatermark(FRAMES, is_complete=True))
            answer = worker.answer()
        assert isinstance(answer, Produced)
        hashes.add(answer.files[0].sha256)
    assert len(hashes) == 1


def test_cancel_ends_the_assignment_and_leaves_no_file(tmp_path: Path, spool: Path) -> None:
    directory = tmp_path / "out"
    directory.mkdir()
    with WorkerDriver() as worker:
        worker.send(
            Assignment("job", MP4, VIDEO, str(spool), str(directory)),
            HighWatermark(FRAMES, is_complete=False),
        )
        while not isinstance(worker.next_event(), Progress):
            pass
        worker.send(Cancel())
        answer = worker.answer()
        assert isinstance(answer, Failed)
        assert answer.code == "CANCELLED"
        assert list(directory.iterdir()) == []


def test_a_worker_ends_with_its_answer(tmp_path: Path, spool: Path) -> None:
    """Nothing of one job is left in a process that could see the next one's frames."""
    (tmp_path / "out").mkdir()
    with WorkerDriver() as worker:
        worker.send(Assignment("job", MP4, VIDEO, str(spool), str(tmp_path / "out")))
        worker.send(HighWatermark(FRAMES, is_complete=True))
        assert isinstance(worker.answer(), Produced)
        assert worker.wait() == 0


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (OutputSpec("clip", "mp4", options={"nonsense": "1"}), "INVALID_OPTION"),
        (OutputSpec("clip", "nonsense"), "UNKNOWN_FORMAT"),
        (OutputSpec("clip", "mp4", codec="vp9"), "UNKNOWN_CODEC"),
    ],
)
def test_a_wrong_output_fails_alone(tmp_path: Path, spool: Path, output: OutputSpec, code: str) -> None:
    with WorkerDriver() as worker:
        answer = worker.produce(VIDEO, output, spool, tmp_path / "out", FRAMES)
        assert isinstance(answer, Failed)
        assert (answer.code, answer.is_retryable) == (code, False)
        assert isinstance(worker.produce(VIDEO, MP4, spool, tmp_path / "next", FRAMES), Produced)


def test_a_job_without_frames_is_reported(tmp_path: Path, spool: Path) -> None:
    with WorkerDriver() as worker:
        answer = worker.produce(VIDEO, MP4, spool, tmp_path / "out", 0)
    assert isinstance(answer, Failed)
    assert answer.code == "NO_FRAMES"


def test_a_missing_spool_may_be_tried_again(tmp_path: Path) -> None:
    with WorkerDriver() as worker:
        answer = worker.produce(VIDEO, MP4, tmp_path / "nowhere", tmp_path / "out", 1)
    assert isinstance(answer, Failed)
    assert (answer.code, answer.is_retryable) == ("IO_ERROR", True)


def test_warnings_come_at_once_and_with_the_answer(tmp_path: Path) -> None:
    spool = tmp_path / "video.raw"
    spool.write_bytes(gradient_clip(2, 33, 49).tobytes())
    video = VideoSpec(49, 33, PixelFormat.RGB24, Rational(24))
    with WorkerDriver() as worker:
        answer = worker.produce(video, MP4, spool, tmp_path / "out", 2)
    assert isinstance(answer, Produced)
    assert [warning.code for warning in answer.warnings] == ["ODD_SIZE_PADDED"]
    assert [event.code for event in worker.events if isinstance(event, Warned)] == ["ODD_SIZE_PADDED"]


def test_a_worker_ends_at_once_when_its_orders_end_even_while_it_works(tmp_path: Path, spool: Path) -> None:
    directory = tmp_path / "out"
    directory.mkdir()
    with WorkerDriver(TELECINE_WORKER_FAULT="hang_at_frame:3") as worker:
        worker.send(
            Assignment("job", MP4, VIDEO, str(spool), str(directory)), HighWatermark(FRAMES, is_complete=True)
        )
        while not isinstance(worker.next_event(), Progress):
            pass
        worker.close_orders()
        assert worker.wait() == 0


def test_a_worker_dies_with_its_zygote(tmp_path: Path, spool: Path) -> None:
    """The zygote is killed while its worker is busy and its orders are open."""
    directory = tmp_path / "out"
    directory.mkdir()
    with WorkerDriver(TELECINE_WORKER_FAULT="hang_at_frame:3") as worker:
        worker.send(
            Assignment("job", MP4, VIDEO, str(spool), str(directory)), HighWatermark(FRAMES, is_complete=True)
        )
        while not isinstance(worker.next_event(), Progress):
            pass
        worker.zygote.kill()
        eventually(lambda: not is_running(worker.pid), says="the worker has ended")


def test_zygote_and_worker_die_with_the_service() -> None:
    """The parent is killed while another process holds the zygote's socket and the worker's orders open."""
    program = (
        "import subprocess, time\n"
        "from tests.encoder_service.worker_driver import WorkerDriver\n"
        "worker = WorkerDriver()\n"
        "held = [worker._connection.fileno(), worker.orders.fileno()]\n"
        "files = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL, pass_fds=held)\n"
        "print(worker.zygote.pid, worker.pid, files.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    )
    assert parent.stdout is not None
    zygote, worker, files = map(int, parent.stdout.readline().split())
    parent.kill()
    parent.communicate()
    try:
        eventually(lambda: not is_running(zygote), says="the zygote has ended")
        eventually(lambda: not is_running(worker), says="the worker has ended")
    finally:
        os.kill(files, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_prints_of_codecs_never_reach_the_protocol(tmp_path: Path) -> None:
    """x265 and SVT-AV1 print; whatever reaches descriptor 1 goes to stderr."""
    spool = tmp_path / "video.raw"
    spool.write_bytes(gradient_clip(3, 64, 64).tobytes())
    video = VideoSpec(64, 64, PixelFormat.RGB24, Rational(24))
    with WorkerDriver() as worker:
        for codec in ("hevc", "av1"):
            output = OutputSpec(
                "clip",
                "mp4",
                codec=codec,
                options={"x265-params": "log-level=full"} if codec == "hevc" else {},
            )
            allowed = {"libx265": ("x265-params.log-level",)}
            answer = worker.produce(video, output, spool, tmp_path / codec, 3, allowed_options=allowed)
            assert isinstance(answer, Produced), answer


def test_an_order_that_cannot_be_read_ends_the_worker(tmp_path: Path) -> None:
    with WorkerDriver() as worker:
        worker.orders.write(b'{"type": "nonsense"}\n')
        assert worker.wait() == 2
        assert b"an order that cannot be read" in worker.words.read()


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """A clip that is longer by 120 frames of 1 MB each peaks at about the same resident memory."""
    frame = np.full((480, 720, 3), 90, np.uint8)
    video = VideoSpec(720, 480, PixelFormat.RGB24, Rational(24))
    spool = tmp_path / "video.raw"
    with spool.open("wb") as file:
        for index in range(160):
            frame[:: index + 1] += 1
            file.write(frame.tobytes())
    draft = OutputSpec("clip", "mp4", preset="ultrafast", options={"tune": "zerolatency"})
    peaks = []
    with WorkerDriver() as worker:
        for frames in (40, 160):
            answer = worker.produce(video, draft, spool, tmp_path / str(frames), frames)
            assert isinstance(answer, Produced)
            peaks.append(answer.resources.peak_rss_bytes)
    assert peaks[1] <= peaks[0] + (30 << 20)


def test_a_probe_says_what_works_and_why_the_rest_does_not(tmp_path: Path) -> None:
    with WorkerDriver() as worker:
        worker.send(Probe(str(tmp_path)))
        answer = worker.answer()
    assert isinstance(answer, Probed)
    found = {entry.encoder: entry for row in answer.formats for entry in row.encoders}
    for encoder in ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1"):
        assert found[encoder].is_available, found[encoder].reason
        assert found[encoder].pixel_formats
    assert not found["libopenh264"].is_available
    assert "not in this build" in found["libopenh264"].reason
    alpha = {row.format: row.can_carry_alpha for row in answer.formats}
    assert (alpha["webm"], alpha["mov"], alpha["mkv"], alpha["mp4"]) == (True, True, True, False)
    assert "libavcodec" in answer.library_versions
