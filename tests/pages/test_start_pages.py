"""docs/start.md and the pages for readers of each kind: what they show runs, against both services."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import telecine

from tests.pages.pages import ROOT, examples, page_text, run_programs, run_telecine
from tests.pages.running import running

PAGES = ("docs/for/gpu-team.md", "docs/for/sre.md", "docs/for/ffmpeg.md", "docs/for/opentelemetry.md")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with a clip, and both services, which the environment names."""
    directory = tmp_path_factory.mktemp("reader")
    with (
        running("collector", directory / "collector") as collector,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("TELECINE_LOG_COLLECTOR", collector["address"])
        with running("encoder", directory / "encoder") as encoder:
            environment.setenv("TELECINE_SERVER", encoder["address"])
            frames = np.random.default_rng(1).integers(0, 256, (24, 96, 128, 3), np.uint8)
            telecine.encode(frames, fps=24, outputs="mp4", to=str(directory / "clip.mp4"))
            yield directory


def test_the_first_page_leads_to_a_clip_a_server_and_a_story(place: Path) -> None:
    first, second, story = examples("docs/start.md", "sh")
    exported = second.splitlines()[0]
    assert set(re.findall(r"(\w+)=", exported)) <= os.environ.keys()
    printed = run_telecine("\n".join([first, second.removeprefix(exported), story]), place)
    assert "hashed, decoded and compared" in printed
    assert "my-first-job" in printed
    assert "of 0 records" not in printed
    run_programs("docs/start.md", place)
    assert (place / "clip.mp4").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_to_readers_of_each_kind_runs(place: Path, page: str) -> None:
    if examples(page, "python"):
        run_programs(page, place)
    if commands := examples(page, "sh"):
        run_telecine("\n".join(commands), place)


def test_what_an_auditor_checks_is_sound(place: Path) -> None:
    (commands,) = examples("docs/for/auditor.md", "sh")
    assert "sound" in run_telecine(commands, place)


def test_the_programs_for_python_developers_run_with_an_embedded_service(tmp_path: Path) -> None:
    assert len(examples("docs/for/python.md", "python")) == 3
    printed = run_programs("docs/for/python.md", tmp_path, 100)
    assert "a red fox" in printed
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"clip/mp4.mp4", "clip/webm.webm", "clip/webp.webp", "clip/manifest.json"} <= made
    assert {"fox/mp4.mp4", "fox/webp.webp", "first/mp4.mp4", "second/gif.gif", "second/poster.jpg"} <= made
    assert not [name for name in made if name.endswith(".part")]


def test_no_page_of_this_kind_is_forgotten() -> None:
    kinds = {f"docs/for/{path.name}" for path in (ROOT / "docs/for").glob("*.md")}
    assert kinds == {*PAGES, "docs/for/auditor.md", "docs/for/python.md"}
    assert all(name.removeprefix("docs/") in page_text("docs/README.md") for name in kinds)
