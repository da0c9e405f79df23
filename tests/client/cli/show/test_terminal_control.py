"""No command lets a record, a job or a server act on the terminal, and one record is one line."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from telecine.cli.show import terminal
from telecine.logging.outputs.rendering import Format, renderer
from telecine.logging.outputs.visible_text import visible, visible_json, visible_lines

from tests.client.cli.terminal_command import telecine
from tests.log_collector.harness import record

EVIL = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "link": "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "c1": "\x9b31m\x90\x9d",
    "delete": "\x7f\x08\x08",
    "direction": "\u202egnp.exe\u2066\u200f\u061c",
    "unseen": "\u200b\u2060\ufeff\xad\U000e0041",
    "line": "ok\nERROR forged\r\x0b\x0c\u2028\u2029\x85",
}
ACTING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)


def evil_record(name: str, text: str) -> dict[str, object]:
    return record(
        1,
        **{
            "msg": f"{name} {text}",
            f"key{text}": text,
            "job_id": f"j{text}",
            "logger": text,
            "stage": text,
            "nested": {text: [text]},
        },
    )


@pytest.mark.parametrize("form", [Format.HUMAN, Format.KV])
@pytest.mark.parametrize("name", EVIL)
def test_a_record_is_one_line_without_control(form: Format, name: str) -> None:
    line = json.dumps(evil_record(name, EVIL[name]), ensure_ascii=False).encode()
    text = renderer(form)(line).decode()
    assert ACTING.search(text) is None
    assert text.count("\n") == 1


def test_a_stack_cannot_pass_for_a_record() -> None:
    line = json.dumps(record(1, stack="Traceback\n2026-01-01 00:00 ERROR forged\x1b[2J")).encode()
    first, *rest = renderer(Format.HUMAN)(line).decode().splitlines()
    assert "polled" in first
    assert rest == ["    Traceback", "    2026-01-01 00:00 ERROR forged\\x1b[2J"]


@pytest.mark.parametrize("name", EVIL)
def test_json_is_escaped_and_means_the_same(name: str) -> None:
    fields = evil_record(name, EVIL[name])
    line = json.dumps(fields, ensure_ascii=False).encode()
    shown = visible_json(line)
    assert ACTING.search(shown.decode()) is None
    assert json.loads(shown) == fields


@pytest.mark.parametrize("text", ["plain", "Grüße 東京 🎬", "👩‍👩‍👧", "é", ""])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == visible_lines(text) == text
    assert visible_json(json.dumps(text, ensure_ascii=False).encode()).decode() == json.dumps(
        text, ensure_ascii=False
    )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Files as a collector writes them, of hostile records."""
    (tmp_path / "logs").mkdir()
    lines = [json.dumps(evil_record(name, text), ensure_ascii=False) for name, text in EVIL.items()]
    stage = json.dumps(record(2, job_id="j", stage="s:\x9b2J", service="a\u202eb"), ensure_ascii=False)
    (tmp_path / "logs" / "worker.log").write_text("".join(f"{line}\n" for line in [*lines, stage]))
    (tmp_path / "logs" / "jobs" / "j").mkdir(parents=True)
    (tmp_path / "logs" / "jobs" / "j" / "job.log").write_text(stage + "\n")
    return tmp_path / "logs"


@pytest.mark.parametrize(
    "command",
    [
        ("query",), ("query", "--json"), ("report",), ("report", "--json"), ("job", "j"),
        ("job", "j", "--json"),
        ("query", "--sql", "select * from records"), ("query", "--sql", "select * from records", "--json"),
    ],
)  # fmt: skip
def test_no_command_prints_a_control_character_of_a_record(logs: Path, command: tuple[str, ...]) -> None:
    ran = telecine("logs", *command, "--dir", str(logs))
    assert ran.exit_code == 0, ran.err
    assert ran.out
    assert ACTING.search(ran.out) is None, ascii(ACTING.search(ran.out))
    if command[0] == "query" and "--sql" not in command:
        assert len(ran.out.splitlines()) == len(EVIL) + 1


def test_the_console_spells_out_what_nobody_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    console = terminal.results()
    table = terminal.table("name")
    for text in EVIL.values():
        table.add_row(text)
        console.print(text, markup=False)
    console.print(table)
    assert ACTING.search(stream.getvalue()) is None


def test_an_escaped_text_is_one_line_and_no_markup() -> None:
    assert terminal.escape("a\nb[red]x\x1b[0m") == "a\\nb\\[red]x\\x1b[0m"
