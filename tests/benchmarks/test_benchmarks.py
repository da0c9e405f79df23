"""The benchmarks measure in turns, compare medians, and write only between their markers."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clips import TINY, decoded
from benchmarks.measure import Finding, interleaved, times_faster
from benchmarks.report import PAGE, write_page
from benchmarks.rows import ROWS, SECTIONS

ROOT = Path(__file__).parent.parent.parent


def test_contenders_take_turns_and_the_order_alternates() -> None:
    order: list[str] = []

    def contender(name: str) -> dict[str, float]:
        order.append(name)
        return {"seconds": float(len(order))}

    measured = interleaved({"a": lambda: contender("a"), "b": lambda: contender("b")}, rounds=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert measured["a"].median("seconds") == 4.0


@pytest.mark.parametrize(("ours", "is_reached"), [(1.0, True), (2.0, True), (2.1, False)])
def test_a_target_is_reached_when_ours_is_that_many_times_faster(ours: float, is_reached: bool) -> None:
    assert times_faster("row", "case", ours, 4.0, 2.0).is_reached is is_reached


def test_clips_are_decoded_once_and_begin_again_at_their_end(tmp_path: Path) -> None:
    clip = decoded(TINY, "rgb24", tmp_path)
    frames = [bytes(frame) for frame in clip.frames(TINY.frame_count + 1)]
    assert len(frames[0]) == clip.frame_bytes == 160 * 90 * 3
    assert frames[0] == frames[-1] != frames[1]


def test_figures_are_written_between_their_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- figures: begin (encoder) -->\nold\n<!-- figures: end (encoder) -->\nafter\n"
    )
    finding = Finding("row", "case", "1 s", "2 s", "2.00 x", ">= 1 x", is_reached=True)
    write_page([finding], "encoder", "make bench", page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| row | case | 1 s | 2 s | 2.00 x | >= 1 x | yes |  |" in text


def test_rows_that_were_not_measured_keep_their_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures: begin (encoder) -->\nold words\n<!-- figures: end (encoder) -->\n")
    first = Finding("first", "case", "1 s", "2 s", "2.00 x", ">= 1 x", is_reached=True)
    second = Finding("second", "case", "3 s", "4 s", "1.33 x", ">= 1 x", is_reached=True)
    write_page([first, second], "encoder", "make bench", page)
    write_page([dataclasses.replace(second, ours="2 s")], "encoder", "make bench", page)
    text = page.read_text()
    assert "| first | case | 1 s |" in text
    assert "| second | case | 2 s |" in text
    assert "3 s" not in text
    assert "old words" not in text


def test_the_page_has_a_place_for_every_section() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for section in SECTIONS:
        assert f"<!-- figures: begin ({section}) -->" in text


def test_a_row_can_be_run_alone_to_see_that_it_works() -> None:
    assert {"ship", "otlp", "ack", "log-call", "redaction", "ten-million", "tail"} <= set(ROWS)
    assert {"hand-off", "webp", "outputs", "real-time", "memory", "clients", "overhead"} <= set(ROWS)
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "overhead"],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert "server CPU outside codecs" in ran.stdout, ran.stderr
