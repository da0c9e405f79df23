"""Every decision stands in the index, sorted, with its date and status."""

from __future__ import annotations

import re
from pathlib import Path

DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
ROW = re.compile(
    r"^\| \[[\w-]+\]\(([\w-]+\.md)\) \| (\d{4}-\d\d-\d\d) \| (accepted|withdrawn) \| ", re.MULTILINE
)
HEAD = re.compile(r"\A# .+\n\n_(Accepted|Withdrawn), (\d{4}-\d\d-\d\d)\._\n")


def test_the_index_lists_every_decision_in_order() -> None:
    rows = ROW.findall((DECISIONS / "README.md").read_text(encoding="utf-8"))
    assert [name for name, _, _ in rows] == [path.name for path in PAGES]


def test_every_page_says_its_status_and_date_as_the_index_does() -> None:
    heads = {path.name: HEAD.match(path.read_text(encoding="utf-8")) for path in PAGES}
    found = {name: (match[2], match[1].lower()) for name, match in heads.items() if match}
    rows = ROW.findall((DECISIONS / "README.md").read_text(encoding="utf-8"))
    assert found == {name: (date, status) for name, date, status in rows}
