"""The command that a mistake was made in is found, for its --help to be named."""

from __future__ import annotations

import pytest
from telecine.cli import app as cli
from telecine.cli.mistakes import command_path


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["logs", "query", "--where", "x>"], "telecine logs query"),
        (["encode", "jobs"], "telecine encode"),
        (["--help"], "telecine"),
        (["nonsense", "logs"], "telecine"),
        ([], "telecine"),
    ],
)
def test_the_command_is_found_in_its_arguments(arguments: list[str], path: str) -> None:
    assert command_path(cli._command(), arguments) == path
