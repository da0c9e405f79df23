"""What a shell offers is what there is; where nobody answers it is nothing, at once and without a word."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from telecine.cli import app as cli
from telecine.cli import completion

from encoder_service.spec.formats import FORMATS


def offered(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash would offer for the last word."""
    monkeypatch.setenv("_TELECINE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    with pytest.raises(SystemExit):
        cli.run([])
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.split()


def test_the_formats_are_those_of_the_encoder() -> None:
    rows = FORMATS.values() if hasattr(FORMATS, "values") else FORMATS
    assert sorted(completion.FORMATS) == sorted(row.name for row in rows)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("telecine encode clip.npy -o we", ["webm", "webp"]),
        ("telecine encode clip.npy -q dr", ["draft"]),
        ("telecine jobs list --state part", ["partially_succeeded"]),
        ("telecine logs query --level ER", ["ERROR"]),
        ("telecine config show lo", ["logging"]),
        ("telecine jo", ["jobs"]),
    ],
)
def test_words_that_a_command_takes_are_offered(
    words: str, found: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offered(words, monkeypatch, capsys) == found


@pytest.mark.parametrize("command", ["jobs show", "jobs delete", "logs job"])
def test_without_a_server_nothing_is_offered_and_nothing_said(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELECINE_SERVER", "127.0.0.1:1")
    monkeypatch.setenv("TELECINE_LOG_COLLECTOR", "127.0.0.1:1")
    began = time.monotonic()
    assert offered(f"telecine {command} ab", monkeypatch, capsys) == []
    assert time.monotonic() - began < 10  # under load; alone it is one second
