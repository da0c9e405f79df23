"""`telecine logs watch` as a program in a real pseudo-terminal, and where there is none."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine.installation import install_command

from tests.client.cli.terminal_command import telecine
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, record, ship

WAIT_SECONDS = 30.0


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(self, *command: str, columns: int = 100, lines: int = 24, **environment: str) -> None:
        self._end, child = pty.openpty()
        self.resize(columns, lines)
        variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            command, stdin=child, stdout=child, stderr=child, start_new_session=True,
            env=variables | {"TERM": "xterm-256color"} | environment,
        )  # fmt: skip
        os.close(child)
        self.output = ""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def reads(self, text: str) -> None:
        """Reads on until a text has been drawn."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.output:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._end], [], [], max(0.0, left))
            assert ready, f"{text!r} was not drawn; this was: {self.output[-3000:]!r}"
            self.output += os.read(self._end, 65536).decode(errors="replace")

    def press(self, keys: str) -> None:
        self.output = ""
        os.write(self._end, keys.encode())

    def ends(self) -> int:
        """Reads to the end; returns the exit code."""
        while True:
            try:
                if not os.read(self._end, 65536):
                    break
            except OSError:  # the other side is closed: on Linux that is an error
                break
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector") / "data").start()
    records = [record(1, msg="all is well"), record(2, level="ERROR", msg="\x1b]0;owned\x07gone wrong")]
    asyncio.run(ship(running.address, batch(1, records)))
    yield running
    running.stop()


def watch(*arguments: str, **environment: str) -> Terminal:
    return Terminal(sys.executable, "-m", "telecine.cli", "logs", "watch", *arguments, **environment)


def test_it_draws_takes_keys_follows_the_terminals_size_and_leaves_it_clean(collector) -> None:
    terminal = watch("--server", collector.address)
    try:
        terminal.reads("gone wrong")
        assert "all is well" in terminal.output
        assert "\x1b]0;owned" not in terminal.output
        assert "␛]0;owned␇" in terminal.output
        terminal.press("e")
        terminal.reads("errors only")
        terminal.output = ""
        terminal.resize(90, 20)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.reads("gone wrong")
        terminal.press("q")
        assert terminal.ends() == 0
    finally:
        terminal.close()


def test_ctrl_c_ends_it_without_a_traceback(collector) -> None:
    terminal = watch("--server", collector.address, NO_COLOR="1")
    try:
        terminal.reads("all is well")
        terminal.press("\x03")
        assert terminal.ends() == 0
        assert "Traceback" not in terminal.output
    finally:
        terminal.close()


def test_a_terminal_that_can_move_no_cursor_is_refused(collector) -> None:
    terminal = watch("--server", collector.address, TERM="dumb")
    try:
        terminal.reads("logs tail")
        assert terminal.ends() == 2
    finally:
        terminal.close()


def test_without_a_terminal_it_names_the_command_that_needs_none(collector) -> None:
    ran = telecine("logs", "watch", "--server", collector.address)
    assert ran.exit_code == 2
    assert "needs a terminal" in ran.err
    assert "telecine logs tail" in ran.err


def test_wrong_arguments_are_reported_before_the_screen_opens(tmp_path: Path) -> None:
    terminal = watch("--dir", str(tmp_path / "nowhere"))
    try:
        terminal.reads("is no directory")
        assert terminal.ends() == 2
    finally:
        terminal.close()


def test_a_missing_library_names_what_to_install(collector) -> None:
    script = (
        "import sys; sys.modules['textual'] = None\n"
        "from telecine.cli.app import run\n"
        f"sys.exit(run(['logs', 'watch', '--server', '{collector.address}']))"
    )
    terminal = Terminal(sys.executable, "-c", script)
    try:
        terminal.reads(install_command("watch"))
        assert terminal.ends() == 3
    finally:
        terminal.close()


def test_the_other_commands_load_no_terminal_library() -> None:
    script = "import sys, telecine.cli.app; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
