"""The programs of examples/ run as they stand, each in a directory of its own, with warnings as errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.pages import ROOT, page_text, run_program

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MAX_LINES = 60
PRINTS = {
    "asyncio_clients": ["asyncio/red/mp4.mp4 asyncio/blue/gif.gif", "succeeded", "asyncio/green/webp.webp"],
    "first_clip": ["first-clip/mp4.mp4", "frames encoded: 24"],
    "logs_of_one_job": ["worker model:sample sampling", "encoder encode:output", "worker model:done done"],
    "several_outputs": ["several-outputs/phone.mp4", "several-outputs/contact_sheet.png"],
    "stage_pipeline": ["01 generate", '-- "frames.npy" -->', "findings: []"],
    "streaming": ["free again", "streaming/webm.webm"],
    "torch_tensors": ["torch-tensors/mp4.mp4", "clipped samples: 0"],
}
"""What each example prints, in that order."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    if path.stem == "torch_tensors":
        pytest.importorskip("torch")
    printed = run_program(path.read_text(encoding="utf-8"), tmp_path, 200)
    at = 0
    for expected in PRINTS[path.stem]:
        assert expected in printed[at:], printed
        at = printed.index(expected, at) + len(expected)
    assert not list(tmp_path.rglob("*.part"))


def test_the_page_for_python_developers_names_every_example_and_each_is_short() -> None:
    page = page_text("docs/for/python.md")
    assert {path.stem for path in EXAMPLES} == set(PRINTS)
    assert not [path.name for path in EXAMPLES if f"examples/{path.name})" not in page]
    assert not [path.name for path in EXAMPLES if len(path.read_text().splitlines()) > MAX_LINES]
