"""Every error that a user can meet has a kind, an answer to "again?", and a way out in plain words."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
import telecine
from telecine.cli.errors import every_error, markdown_tables
from telecine.exceptions.problems import PROBLEMS, UNKNOWN_PROBLEM
from telecine.exceptions.root import ErrorKind, TelecineError
from telecine.exceptions.table import TREES, sdk_errors
from telecine.results.values import Problem

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "errors.md"
WARNINGS = ROOT / "docs" / "warnings.md"
EVERY_ERROR = every_error()
MARK = "<!-- The tables below are written by `telecine errors --markdown`. -->\n\n"


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda e: f"{e.group}-{e.name or e.code}")
def test_every_error_has_a_way_out(error) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+", error.code)
    assert error.kind in list(ErrorKind)
    assert re.match(r"[A-Z`]", error.advice), "begins like a sentence"
    assert error.advice.endswith((".", "?"))
    assert 15 < len(error.advice) < 200
    if error.kind == "later":
        assert error.is_retryable, "what time fixes may be tried again"
    if error.kind == "caller" and error.code != "INTERRUPTED":
        assert not error.is_retryable, "what the caller must fix is not helped by trying again"


def test_no_error_of_the_sdk_is_missing() -> None:
    for module in pkgutil.walk_packages(telecine.__path__, "telecine."):
        if not re.search(r"_pb2|\.cli\.watch|__main__|prometheus", module.name):
            importlib.import_module(module.name)

    def below(kind: type[TelecineError]) -> set[str]:
        children = {child for child in kind.__subclasses__() if child.__module__.startswith("telecine.")}
        return {child.__name__ for child in children} | {name for child in children for name in below(child)}

    assert below(TelecineError) == {row.name for row in sdk_errors()}, f"add its module to TREES ({TREES})"


def test_a_code_of_the_sdk_means_one_class() -> None:
    codes = [row.code for row in sdk_errors()]
    assert len(set(codes)) == len(codes)


def test_every_failure_of_the_manifest_has_a_way_out_of_the_kind_that_the_page_names() -> None:
    table = WARNINGS.read_text(encoding="utf-8").partition("## Failures")[2]
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^ |]+) \|", table, re.MULTILINE))
    assert set(documented) == set(PROBLEMS), "docs/warnings.md and problems.py name different codes"
    kinds = {
        "caller": {ErrorKind.CALLER},
        "us": {ErrorKind.SERVICE},
        "operator": {ErrorKind.CALLER, ErrorKind.LATER},
        "–": {ErrorKind.JOB},
    }
    assert not [code for code, who in documented.items() if PROBLEMS[code].kind not in kinds[who]]


def test_a_problem_shows_its_way_out() -> None:
    full = Problem("DISK_FULL", "no space left")
    assert (full.kind, full.is_retryable) == (ErrorKind.LATER, True)
    assert "Make room" in full.recovery
    newer = Problem("OUT_OF_INK", "the ink is used up")
    assert newer.recovery == UNKNOWN_PROBLEM.recovery


def test_the_page_of_errors_is_fresh() -> None:
    written = PAGE.read_text(encoding="utf-8").partition(MARK)[2]
    assert written == markdown_tables(EVERY_ERROR), "telecine errors --markdown writes the tables anew"
