"""The index of decisions lists every page."""

from __future__ import annotations

from pathlib import Path

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"


def test_every_decision_stands_in_the_index() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in DECISIONS.glob("*.md")} - {"README.md"}
    assert not {page for page in pages if f"({page})" not in index}
