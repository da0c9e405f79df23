"""Every code that stands in a manifest is explained in docs/warnings.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "warnings.md"
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
RAISERS = {"warn", "note", "Remark", "OutputError", "Failed", "StrictViolationError", "translated", "Problem"}


def called_codes(tree: ast.AST) -> set[str]:
    """The first arguments of calls that warn or fail, as far as they are written out."""
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in RAISERS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


def named_codes(tree: ast.Module) -> set[str]:
    """Codes that stand in constants and tables at the top of a module."""
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    return {
        constant.value
        for value in values
        if value is not None
        for constant in ast.walk(value)
        if isinstance(constant, ast.Constant)
        and isinstance(constant.value, str)
        and CODE.fullmatch(constant.value)
    }


def codes_in_the_sources() -> set[str]:
    found = set()
    for path in sorted((ROOT / "encoder_service").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= called_codes(tree)
        if path.parent.name in {"outputs", "libav"}:
            found |= named_codes(tree)
    return {code for code in found if CODE.fullmatch(code) or code == "CANCELLED"}


DOCUMENTED = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("code", sorted(codes_in_the_sources() | {"VERIFICATION_FAILED"}))
def test_the_code_is_documented(code: str) -> None:
    assert code in DOCUMENTED, f"add a row for {code} to docs/warnings.md"


def test_no_row_is_left_of_a_code_that_is_gone() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "encoder_service").rglob("*.py"))
    assert sorted(code for code in DOCUMENTED if f'"{code}"' not in sources) == []
