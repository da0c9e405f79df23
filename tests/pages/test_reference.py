"""The generated pages of docs/reference/ are fresh and whole."""

from __future__ import annotations

import re

from docs.tools.__main__ import DOCS, pages, stale
from docs.tools.settings import settings_of
from tests.pages.pages import page_text


def test_the_generated_pages_are_as_the_code_says() -> None:
    assert not stale(), "run `make docs-reference`"


def test_every_setting_has_a_row_with_what_an_operator_asks() -> None:
    for section, name in (
        ("encoder", "encoder"),
        ("collector", "collector"),
        ("sdk", "sdk"),
        ("logging", "sdk"),
    ):
        text = page_text(f"docs/reference/settings-{name}.md")
        for setting in settings_of(section):
            assert setting.meaning
            assert setting.kind != "value", f"{section}.{setting.key}"
            assert not setting.variable or f"`{setting.variable}`" in text


def test_the_index_leads_to_every_generated_page() -> None:
    linked = set(re.findall(r"\(([a-z-]+\.md)\)", page_text("docs/reference/README.md")))
    assert {path.name for path in pages() if path.parent == DOCS / "reference"} <= linked
