"""Progress says how much there is in all, and about how long it takes; in a pipe a line now and then."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from telecine.cli.show.progress import LINE_SECONDS, JobProgressView, _Lines, frames_text, left_text
from telecine.results.values import OutputProgress, OutputState, Progress


def progress(frames: int, *, total: int = 480, state: OutputState = OutputState.ENCODING) -> Progress:
    output = OutputProgress("mp4", state, frames, frames_total=total, bytes_written=0, attempt=1)
    return Progress("j", 10, 10, 10, is_handed_off=True, outputs=(output,))


def test_a_pipe_gets_the_total_and_the_time_that_is_left() -> None:
    now, file = [0.0], io.StringIO()
    lines = _Lines(Console(file=file, width=140), clock=lambda: now[0])
    for frames in range(0, 241, 10):
        lines.show(progress(frames), 0)
        now[0] += LINE_SECONDS / 10
    lines.show(progress(480, state=OutputState.SUCCEEDED), 0)
    said = file.getvalue().splitlines()
    assert said[0] == "upload: 10 B handed off"
    assert said[1] == "mp4: encoding, 100 of 480 frames (20 %), about 38.00 s left"
    assert said[2].startswith("mp4: encoding, 200 of 480 frames (41 %), about 28")
    assert said[3:] == ["mp4: succeeded, 480 frames"]


def test_nothing_is_written_once_the_view_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    """Another thread that writes to standard error while Python ends makes it abort."""
    with JobProgressView(frame_bytes=1, frame_count=480, is_silent=False) as view:
        view.update(progress(0))
    view.update(progress(480, state=OutputState.CANCELLED))
    assert capsys.readouterr().err == "upload: 10 B handed off\n"


@pytest.mark.parametrize(
    ("encoded", "total", "text"),
    [(120, 480, "120 of 480 frames (25 %)"), (3, 0, "3 frames"), (0, 0, "0 frames")],
)
def test_frames_are_counted_against_their_total_where_it_is_known(
    encoded: int, total: int, text: str
) -> None:
    assert frames_text(encoded, total) == text


@pytest.mark.parametrize(("done", "left", "seconds"), [(0, 5, 1.0), (5, 0, 1.0), (5, 5, 0.0), (-3, 5, 1.0)])
def test_no_time_is_guessed_from_nothing(done: int, left: int, seconds: float) -> None:
    assert left_text(done, left, seconds) == ""
