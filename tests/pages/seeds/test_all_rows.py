"""Every row of docs/seeds.md that is neither out nor open has an example that a test runs."""

from __future__ import annotations

import re

from tests.pages.seeds import (
    test_generation_service,
    test_logging_guide,
    test_output_module,
    test_stage_architecture,
    test_video_studio,
)
from tests.pages.seeds.rows import ELSEWHERE, ROOT, ROWS, SHOWN

MODULES = (
    test_output_module, test_stage_architecture, test_logging_guide, test_video_studio,
    test_generation_service,
)  # fmt: skip


def is_owed(here: str) -> bool:
    return not here.startswith(("out", "*open*"))


def test_every_row_has_an_example_that_runs() -> None:
    assert len(MODULES) == 5
    owed = {named for named, here in ROWS.items() if is_owed(here)}
    assert sorted(owed - SHOWN.keys() - ELSEWHERE.keys()) == []
    assert sorted(ELSEWHERE.keys() - ROWS.keys()) == []


def test_the_tests_of_other_rooms_are_there() -> None:
    for place in ELSEWHERE.values():
        path, _, name = place.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name or 'test_'}", text, re.MULTILINE), place
