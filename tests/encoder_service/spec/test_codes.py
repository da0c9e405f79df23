"""Every code of a failure or a warning is a member of an enum, has advice in the SDK, and is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine.exceptions.problems import PROBLEMS, WARNINGS, advice_of
from telecine.exceptions.root import ErrorKind

from encoder_service.spec.codes import FailureCode, WarningCode

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "encoder_service").rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
RAISERS = {
    "Failed", "OutputError", "Problem", "RaisedWarning", "Remark", "StrictViolationError", "WarningEntry",
    "_translated", "note", "translated", "warn", "_warn", "_note",
}  # fmt: skip
"""Calls whose first argument, or argument `code`, is the code of a failure or warning."""
PASSED_ON = {("job.py", "code"), ("ingest.py", "error")}
"""A warning of a worker, whose code the wire has checked; a function of the same name that takes no code."""
ENUMS = {"FailureCode": FailureCode, "WarningCode": WarningCode}
CODES = frozenset(code for enum in ENUMS.values() for code in enum)
MARKDOWN_ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


def raise_sites(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef | None, ast.expr]]:
    """The code argument of each call that warns or fails, with the function around it."""

    def walk(node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name in RAISERS and (named or node.args):
                yield function, (named or node.args)[0]
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)

    return walk(tree, None)


def is_member(argument: ast.expr) -> bool:
    return (
        isinstance(argument, ast.Attribute)
        and isinstance(argument.value, ast.Name)
        and argument.value.id in ENUMS
        and argument.attr in ENUMS[argument.value.id].__members__
    )


def is_typed(name: str, function: ast.AST | None, module: ast.Module) -> bool:
    """A variable that is annotated with an enum, or that only ever holds members."""
    for node in ast.walk(function) if function else ():
        is_argument = isinstance(node, ast.arg) and node.arg == name
        is_variable = isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name
        annotation = getattr(node, "annotation", None) if is_argument or is_variable else None
        if annotation is not None and re.search(r"\b(FailureCode|WarningCode)\b", ast.unparse(annotation)):
            return True
    assigned = [
        node.value
        for node in (*(ast.walk(function) if function else ()), *module.body)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return bool(assigned) and all(is_sound(value, function, module) for value in assigned)


def is_sound(argument: ast.expr, function: ast.AST | None, module: ast.Module) -> bool:
    if is_member(argument):
        return True
    if isinstance(argument, ast.IfExp):
        return all(is_sound(part, function, module) for part in (argument.body, argument.orelse))
    if isinstance(argument, ast.Name):
        return is_typed(argument.id, function, module)
    if isinstance(argument, ast.Subscript):  # a table at the top of the module
        return isinstance(argument.value, ast.Name)
    return isinstance(argument, ast.Attribute) and argument.attr == "code"  # passed on as it came


def test_every_raise_site_names_a_member_or_passes_a_code_on() -> None:
    sites = [(path, site) for path, tree in TREES.items() for site in raise_sites(tree)]
    assert len(sites) > 120, "the walk has lost its raise sites"
    unsound = [
        f"{path.relative_to(ROOT)}:{argument.lineno}: {ast.unparse(argument)}"
        for path, (function, argument) in sites
        if not is_sound(argument, function, TREES[path])
        and (path.name, ast.unparse(argument)) not in PASSED_ON
    ]
    assert unsound == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("OutputError('DISK_FULL', 'x')", False),
        ("OutputError(f'{x}', 'x')", False),
        ("OutputError(FailureCode.NO_SUCH, 'x')", False),
        ("OutputError(FailureCode.DISK_FULL if x else 'IO_ERROR', 'x')", False),
        ("def f():\n  code = 'X'\n  Failed(code, 'x')", False),
        ("Problem(code='JOB_EXPIRED')", False),
        ("context.warn('ALPHA_FLATTENED', '')", False),
        ("OutputError(FailureCode.DISK_FULL, 'x')", True),
        ("Problem(last.code, last.message)", True),
        ("def f(code: FailureCode):\n  Failed(code, 'x')", True),
    ],
)
def test_the_walk_tells_members_from_strings(source: str, *, expected: bool) -> None:
    module = ast.parse(source)
    ((function, argument),) = raise_sites(module)
    assert is_sound(argument, function, module) is expected


def test_no_code_stands_as_a_string_in_the_sources() -> None:
    strings = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in CODES
    ]
    assert strings == []


def test_every_member_is_raised_somewhere() -> None:
    used = {
        node.attr
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ENUMS
    }
    assert CODES - used == set()


def test_the_enums_the_advice_and_the_page_name_the_same_codes() -> None:
    page = (ROOT / "docs" / "warnings.md").read_text(encoding="utf-8")
    warnings, _, failures = page.partition("## Failures")
    assert set(MARKDOWN_ROW.findall(failures)) == set(FailureCode) == set(PROBLEMS)
    assert set(MARKDOWN_ROW.findall(warnings)) == set(WarningCode) == set(WARNINGS)
    errors = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert CODES - set(MARKDOWN_ROW.findall(errors)) == set()
    assert not set(FailureCode) & set(WarningCode), "one code means one thing"


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_is_its_name_on_the_wire_and_has_advice(code: FailureCode | WarningCode) -> None:
    assert str(code) == code.name == f"{code}"
    assert advice_of(str(code)) is (PROBLEMS | WARNINGS)[str(code)]


def test_a_fallback_that_strict_forbids_is_for_the_caller_to_fix() -> None:
    assert advice_of("ALPHA_FLATTENED").kind is ErrorKind.CALLER
