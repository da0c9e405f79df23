"""`telecine errors` tells what an error means, and every failing command tells the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from telecine import exceptions as sdk
from telecine.cli.show.failures import explain, show_failure
from telecine.exceptions.root import FieldViolation

from tests.client.cli.terminal_command import telecine


def test_one_error_is_explained_by_its_code_or_its_class() -> None:
    by_code = telecine("errors", "spool_full", "--json").document["errors"]
    assert {error["group"] for error in by_code} == {"sdk", "service"}
    (by_class,) = telecine("errors", "SpoolFullError", "--json").document["errors"]
    assert (by_class["code"], by_class["kind"], by_class["is_retryable"]) == ("SPOOL_FULL", "later", True)
    assert "spool quota" in by_class["advice"]


def test_people_see_all_of_them_and_what_to_do() -> None:
    ran = telecine("errors")
    assert ran.exit_code == 0
    assert "CODEC_CRASHED" in ran.out
    assert "what to do" in ran.out


def test_an_unknown_error_is_a_wrong_question() -> None:
    ran = telecine("errors", "NONSENSE")
    assert ran.exit_code == 2
    assert "telecine errors" in ran.err


def test_a_failing_command_says_whether_to_try_again(tmp_path: Path) -> None:
    nobody = telecine("jobs", "list", "--server", f"unix:{tmp_path / 'nobody'}", "--json").document["error"]
    assert (nobody["kind"], nobody["is_retryable"]) == ("later", True)
    wrong = telecine("encode", tmp_path / "nothing.mp4", "-o", "mp4", "--json").document["error"]
    assert (wrong["kind"], wrong["is_retryable"]) == ("caller", False)


def test_the_way_out_of_a_newer_server_is_shown() -> None:
    assert explain(sdk.CallerError("no ink", recovery="Refill the ink.")).advice == "Refill the ink."
    assert explain(sdk.TimedOutError("slow", recovery="Turn it up.")).advice == "Turn it up."
    assert "--timeout" in explain(sdk.TimedOutError("slow"), "telecine encode").advice


@pytest.mark.parametrize(
    ("message", "faults", "lines"),
    [
        ("fps is '0'; expected more", [("fps", "is '0'; expected more")], 0),
        ("--out-dir is '/x', gone: no", [("--out-dir", "is '/x', gone: no")], 0),
        ("two fields are wrong", [("fps", "is '0'"), ("crf", "is 99")], 2),
        ("fps is '0'; and one more", [("fps", "is '0'"), ("crf", "is 99")], 2),
    ],
)
def test_what_the_message_says_is_not_said_again(
    message: str, faults: list[tuple[str, str]], lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    violations = [FieldViolation(*fault) for fault in faults]
    show_failure(sdk.InvalidRequestError(message, faults=violations), as_json=False)
    shown = capsys.readouterr().err
    assert sum(line.startswith("  ") for line in shown.splitlines()) == lines
    assert shown.count(faults[0][1]) == 1 + (lines > 0 and faults[0][1] in message)
