"""The house rules that no linter knows; each test names every offender at once."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import OTHERS, PACKAGES, modules, name_of, tree_of

FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "core", "manager", "misc"}

MAX_LINES = 500
MAX_TEST_LINES = 800
MAX_FUNCTION_LINES = 50
MAX_ARGUMENTS = 8

EXEMPT_CODES = {"N802"}
"""Says why by itself: gRPC's names of methods."""
SUPPRESSION = re.compile(r"#\s*(?:noqa: (?P<codes>[A-Z0-9, ]*[0-9])|type: ignore\[[\w, -]+\])(?P<reason>.*)$")

SOURCES = modules(*PACKAGES)
TESTS = modules("tests")
EVERYTHING = modules(*PACKAGES, *OTHERS)


def test_every_module_says_in_one_sentence_what_it_is():
    firsts = {name_of(p): (ast.get_docstring(tree_of(p)) or "").split("\n")[0] for p in SOURCES}
    offenders = {
        name: first
        for name, first in firsts.items()
        if not first.endswith((".", "?")) or re.search(r"[.?!] [A-Z]", first)
    }
    assert not offenders


def test_no_module_has_a_name_that_says_nothing():
    offenders = [
        name_of(p)
        for p in EVERYTHING
        if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in name_of(p).split("/")}
    ]
    assert not offenders


def test_no_file_is_longer_than_one_can_hold_in_mind():
    lengths = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in EVERYTHING}
    offenders = {
        name: lines
        for name, lines in lengths.items()
        if lines > (MAX_TEST_LINES if name.startswith("tests/") else MAX_LINES)
    }
    assert not offenders


def test_no_function_is_longer_than_a_page():
    offenders = {}
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    offenders[f"{name_of(path)}:{node.name}"] = lines
    assert not offenders


def test_every_silenced_warning_says_why():
    offenders = []
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = SUPPRESSION.search(line)
            if match is None or (match["codes"] and set(match["codes"].split(", ")) <= EXEMPT_CODES):
                continue
            if not re.search(r"\w{2,}", match["reason"]):
                offenders.append(f"{name_of(path)}:{number}: {line.strip()}")
    assert not offenders


def test_no_coroutine_of_a_test_waits_for_its_own_event_loop():
    offenders = [
        f"{name_of(path)}:{call.lineno}"
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.AsyncFunctionDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "eventually"
    ]
    assert not offenders, "await eventually_async"


def test_no_test_waits_by_sleeping():
    offenders = [
        f"{name_of(path)}:{node.lineno}"
        for path in TESTS
        if path.name != "eventually.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert not offenders, "wait for the condition with tests.eventually"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_test_reaches_through_one_private_attribute_to_another():
    offenders = {
        name_of(path)
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and _is_private(node.attr)
        and _is_private(node.value.attr)
    }
    assert not offenders, "what a test needs is handed out by what it tests"


def test_every_test_file_says_what_it_shows():
    assert not [name_of(p) for p in TESTS if not ast.get_docstring(tree_of(p))]


def test_no_part_of_the_encoder_needs_more_arguments_than_one_can_keep_apart():
    offenders = {
        f"{name_of(path)}:{node.name}": len(made.args.args) + len(made.args.kwonlyargs) - 1
        for path in modules("encoder_service")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        for made in node.body
        if isinstance(made, ast.FunctionDef) and made.name == "__init__"
    }
    assert not {name: count for name, count in offenders.items() if count > MAX_ARGUMENTS}


def test_one_module_alone_opens_files_with_ffmpeg() -> None:
    """Anywhere else a path would be taken for a URL; see its docstring."""
    door = "encoder_service/worker/libav/opening.py"
    for path in modules(*PACKAGES):
        for node in ast.walk(tree_of(path)):
            opens = (
                isinstance(node, ast.Attribute) and ast.unparse(node) in {"av.open", "av.container.open"}
            ) or (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").startswith("av")
                and any(alias.name in {"open", "core"} for alias in node.names)
            )
            assert not opens or name_of(path) == door, f"{name_of(path)}:{node.lineno}: use {door}"
