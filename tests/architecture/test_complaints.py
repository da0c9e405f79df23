"""The table of threads and the tests that name them say the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT_NAMES = {
    "OC#": "open-telemetry/opentelemetry-collector#",
    "OCC#": "open-telemetry/opentelemetry-collector-contrib#",
    "OPY#": "open-telemetry/opentelemetry-python#",
    "V#": "vectordotdev/vector#",
}
ROW = re.compile(r"^\| (?P<threads>[^|]+) \| [^|]+ \| `(?P<path>[^`:]+)::(?P<test>\w+)` \|$", re.MULTILINE)
ROWS = [
    (match["threads"].split(", "), match["path"], match["test"])
    for match in ROW.finditer((ROOT / "docs" / "complaints.md").read_text())
]


def test_the_table_is_read_as_a_whole() -> None:
    lines = (ROOT / "docs" / "complaints.md").read_text().splitlines()
    assert len(ROWS) == sum(line.startswith("| ") for line in lines) - 1


@pytest.mark.parametrize(("threads", "path", "test"), ROWS, ids=[row[2] + ":" + row[0][0] for row in ROWS])
def test_each_row_names_a_test_that_names_its_threads(threads: list[str], path: str, test: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    (found,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == test
    ]
    said = spelled_out(ast.get_docstring(found) or "")
    for thread in threads:
        assert spelled_out(thread) in said


def spelled_out(text: str) -> str:
    """Short names in full; a number that follows a comma belongs to the repository before it."""
    for short, full in SHORT_NAMES.items():
        text = re.sub(rf"(?<![\w/-]){short}", full, text)
    parts = re.split(r"(?<=\d), (?=#\d)", text)
    for index in range(1, len(parts)):
        repository = re.findall(r"[\w.-]+/[\w.-]+(?=#)", parts[index - 1])
        parts[index] = repository[-1] + parts[index]
    return " ".join(" ".join(parts).split())
