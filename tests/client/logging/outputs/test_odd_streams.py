"""Consoles that can do little, streams that log what is printed, files without room or directory."""

from __future__ import annotations

import io
import json
import logging
import resource
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import configure_logging, get_logger
from telecine.logging.outputs.files import RotatingFile


class WriteOnly:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Raising(WriteOnly):
    def write(self, text: str) -> None:
        raise AttributeError("no such thing")

    def isatty(self) -> bool:
        raise KeyError("isatty")


def records_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "app.log").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("stream", "shown"),
    [
        (WriteOnly(), lambda s: s.text),
        (Raising(), lambda s: None),
        (io.BytesIO(), lambda s: s.getvalue().decode()),
        (io.TextIOWrapper(io.BytesIO(), "ascii"), lambda s: s.buffer.getvalue().decode()),
        (io.TextIOWrapper(io.BytesIO(), "cp1252"), lambda s: s.buffer.getvalue().decode()),
        (object(), lambda s: None),
    ],
    ids=["write alone", "raises", "bytes", "ascii", "cp1252", "nothing at all"],
)
def test_a_console_that_can_do_little_costs_the_files_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Any, shown: Callable[[Any], str | None]
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    log = configure_logging("app", console="stdout", console_format="kv", directory=tmp_path)
    log.info("日本 → snow")
    log.info("plain")
    text = shown(stream)
    monkeypatch.undo()
    assert [record["msg"] for record in records_of(tmp_path)] == ["日本 → snow", "plain"]
    assert text is None or text.count("\n") == 2


@pytest.mark.parametrize("form", ["json", "kv", "human"])
@pytest.mark.parametrize("prefix", ["", "out: "])
@pytest.mark.parametrize("is_stdlib", [True, False])
def test_a_print_that_goes_to_a_logger_is_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, prefix: str, is_stdlib: bool
) -> None:
    class ToLogger:
        def write(self, text: str) -> None:
            for line in text.splitlines():
                if line.strip():
                    logger: Any = logging.getLogger("print") if is_stdlib else get_logger("print")
                    logger.info("%s%s", prefix, line.rstrip())

        def flush(self) -> None:
            """It keeps nothing."""

    log = configure_logging("app", console="stdout", console_format=form, directory=tmp_path)
    monkeypatch.setattr(sys, "stdout", ToLogger())
    print("hello")
    print("again")
    log.info("ours")
    monkeypatch.undo()
    assert [r["msg"] for r in records_of(tmp_path)] == [f"{prefix}hello", f"{prefix}again", "ours"]


def as_it_is(line: bytes) -> bytes:
    return line


def test_a_line_without_room_spoils_no_later_one(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = RotatingFile(path, as_it_is, 0, 1 << 20, 2)
    try:
        file.write(b'{"n":1}\n')
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 3, before[1]))
        for _ in range(3):
            file.write(b'{"n":2}\n')
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        file.write(b'{"n":3}\n')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
        file.close()
    assert path.read_bytes() == b'{"n":1}\n{"n":3}\n'
    assert file.failures == 3


def test_half_a_line_of_an_earlier_program_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b'{"n":1}\n{"n":')
    file = RotatingFile(path, as_it_is, 0, 1 << 20, 2)
    file.write(b'{"n":3}\n')
    file.close()
    assert path.read_bytes().split(b"\n")[-2] == b'{"n":3}'


def test_a_directory_that_was_removed_is_made_again(tmp_path: Path) -> None:
    now = [0.0]
    directory = tmp_path / "deep" / "logs"
    file = RotatingFile(directory / "app.log", as_it_is, 0, 1 << 20, 2, clock=lambda: now[0])
    file.write(b'{"n":1}\n')
    shutil.rmtree(tmp_path / "deep")
    now[0] = 2.0
    file.write(b'{"n":2}\n')
    file.close()
    assert (directory / "app.log").read_bytes() == b'{"n":2}\n'
    assert file.failures == 0
