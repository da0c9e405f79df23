"""docs/cli.md and `--help` say what the command line does: every field, every exit code, every command."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import msgspec
import pytest
from telecine.cli.show import documents, failures
from telecine.cli.show.documents import EncodeDocument
from telecine.cli.show.exits import MEANINGS, ExitCode
from telecine.cli.show.terminal import write_json
from telecine.results.values import DamagedJob, EncoderCapability, JobWarning, Sandbox

from tests.client.cli.terminal_command import telecine

PAGE = (Path(__file__).parents[4] / "docs" / "cli.md").read_text(encoding="utf-8")
DOCUMENTS = [
    kind
    for module in (documents, failures)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
]


def fields_of(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    return tuple(field.name for field in dataclasses.fields(kind))


VALUES = [
    kind
    for kind in vars(documents).values()
    if dataclasses.is_dataclass(kind) and kind.__module__ == "telecine.results.values"
]


@pytest.mark.parametrize("kind", [*DOCUMENTS, *VALUES], ids=lambda kind: kind.__name__)
def test_every_field_of_every_document_is_documented(kind: type) -> None:
    named = set(re.findall(r"[a-z][a-z0-9_]*", PAGE))
    missing = [name for name in fields_of(kind) if name not in named]
    assert not missing, f"docs/cli.md does not name {missing} of {kind.__name__}"


def test_the_page_states_every_exit_code_in_the_same_words() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {str(code.value): text for code, text in MEANINGS.items()}
    assert set(MEANINGS) == set(ExitCode)


def test_help_states_the_exit_codes_and_the_page_every_command() -> None:
    ran = telecine("--help")
    assert ran.exit_code == 0
    words = re.sub(r"\s+", " ", ran.out)
    for code, text in MEANINGS.items():
        assert f"{code.value} {text}" in words
    commands = re.findall(r"^│ ([a-z]+)  +[A-Z]", ran.out, re.MULTILINE)
    assert {"encode", "serve", "jobs", "capabilities", "doctor"} <= set(commands)
    for command in commands:
        assert f"telecine {command}" in PAGE


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (JobWarning("A", "b"), b'{"code":"A","message":"b","output":""}'),
        (DamagedJob("j", "r", 3), b'{"job_id":"j","reason":"r","spool_bytes":3}'),
        (
            EncoderCapability("libx264", "h264", True, "", ("rgb24",)),
            b'{"encoder":"libx264","codec":"h264","is_available":true,"reason":"","pixel_formats":["rgb24"]}',
        ),
        (
            Sandbox("auto", ("writes",), {"reads": "why"}, 5),
            b'{"mode":"auto","walls":["writes"],"missing":{"reads":"why"},"memory_bytes":5}',
        ),
    ],
)
def test_a_value_of_the_sdk_is_printed_with_its_fields_in_their_order(value: object, line: bytes) -> None:
    assert msgspec.json.encode(value) == line


def test_a_path_that_is_no_utf8_is_escaped_and_comes_back(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    document = EncodeDocument(
        job_id="j", state="succeeded", directory="b\udce4r/ü", manifest=None, frames=1, sent_bytes=1,
        hand_off_seconds=0.1, total_seconds=0.2, artifacts=[], warnings=[], problems=[],
    )  # fmt: skip
    write_json(document)
    assert json.loads(capsysbinary.readouterr().out)["directory"] == "b\udce4r/ü"
