"""The pages as a site: every link and anchor leads somewhere, the navigation is whole, llms.txt is fresh."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from pathlib import Path

import pytest

from docs.tools.navigation import NAVIGATION, PROJECT, sections
from docs.tools.site import relinked
from docs.tools.tables import anchor
from tests.architecture.sources import documents, name_of
from tests.pages.pages import ROOT

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]*)#([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def _anchors(path: Path) -> set[str]:
    """As GitHub makes them: the second of a name has -1 behind it."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", text, re.MULTILINE):
        name = anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def test_every_anchor_that_is_linked_exists() -> None:
    offenders = []
    for path in documents():
        for target, name in _LINK.findall(_CODE.sub("", path.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", target):
                continue
            page = (path.parent / target) if target else path
            if page.suffix == ".md" and name not in _anchors(page):
                offenders.append(f"{name_of(path)}: {target}#{name}")
    assert not offenders


def test_every_page_has_a_place_in_the_navigation() -> None:
    placed = [page for pages in sections().values() for page in pages]
    assert len(placed) == len(set(placed))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in there if not page.startswith("decisions/")} <= set(placed) <= there
    assert list(NAVIGATION) == ["Start", "How-to", "Concepts", "Reference", "Operate", "Benchmarks"]
    assert all((ROOT / page).is_file() for page in PROJECT)


@pytest.mark.parametrize(
    ("link", "made"),
    [
        ("[a](../tls.md#clients)", "[a](../tls.md#clients)"),
        ("[a](../decisions/README.md)", "[a](../decisions/index.md)"),
        ("[a](../decisions)", "[a](../decisions/index.md)"),
        ("[a](../../ARCHITECTURE.md)", "[a](../project/architecture.md)"),
        ("[`a`](../../examples/first_clip.py)", "`a`"),
        ("[a](https://x.example/)", "[a](https://x.example/)"),
        ("`[a](../../nowhere)`", "`[a](../../nowhere)`"),
    ],
)
def test_links_of_pages_lead_on_within_the_site(link: str, made: str) -> None:
    names = ("tls.md", "decisions/README.md", "operate/alerts.md")
    pages = {posixpath.join("docs", name): name for name in names} | PROJECT
    assert relinked(link, "docs/operate/alerts.md", "operate/alerts.md", pages, "") == made
