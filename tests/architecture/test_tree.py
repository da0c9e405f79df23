"""The tree explains itself: small folders, no circles of imports, tests beside what they test."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from tests.architecture.sources import PACKAGES, ROOT, modules, name_of

MAX_MODULES = 14

TESTS_ACROSS = {
    "architecture": "rules for the whole repository",
    "benchmarks": "the benchmarks run",
    "demo": "the demo runs",
    "docker": "the images are built and run",
    "packages": "what is installed: wheels, floors, files of former versions",
    "pages": "what the documentation shows runs",
    "robustness": "several programs, killed, starved and attacked",
}
"""Folders of tests that belong to no package, and what they are for."""


def _folders(*tops: str) -> set[str]:
    return {name_of(path).rpartition("/")[0] for path in modules(*tops)}


def test_no_folder_holds_more_modules_than_one_can_see_at_once() -> None:
    counts = Counter(
        name_of(path).rpartition("/")[0] for path in modules(*PACKAGES) if path.name != "__init__.py"
    )
    assert not {folder: count for folder, count in counts.items() if count > MAX_MODULES}


def test_no_import_circle_in_the_repository() -> None:
    graph = grimp.build_graph("telecine", "service_host", "encoder_service", "log_collector")
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_each_package_of_tests_is_named_after_the_package_that_it_tests() -> None:
    sources = {folder.removeprefix("client/telecine").strip("/") for folder in _folders("client/telecine")}
    packages = {f"client/{folder}".strip("/") for folder in sources}
    packages |= _folders("encoder_service", "log_collector", "service_host")
    tested = {folder.removeprefix("tests").strip("/") for folder in _folders("tests")} - {""}
    strays = {folder for folder in tested if folder.split("/")[0] not in TESTS_ACROSS} - packages
    assert not strays


def test_nothing_but_what_all_tests_share_lies_in_the_top_folder_of_tests() -> None:
    assert {path.name for path in (ROOT / "tests").glob("*.py")} == {"conftest.py", "eventually.py"}
