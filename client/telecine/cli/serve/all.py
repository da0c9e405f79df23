"""Runs encoder and collector as two child programs that live and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from telecine.cli.show.failures import UnavailableHereError
from telecine.clients.embedded import check_installed
from telecine.embedding.python_program import python_command, python_environment
from telecine.exceptions import EmbeddedUnavailableError

_STOP_SECONDS: Final = 45.0
_START_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2


class Child:
    """One service as a program; it drains when its standard input ends, however this process died."""

    def __init__(self, name: str, module: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.name = name
        try:
            check_installed(name)
        except EmbeddedUnavailableError as error:
            raise UnavailableHereError(error.message, error.recovery) from error
        try:
            command = [*python_command(module), "--exit-with-parent", *arguments]
        except EmbeddedUnavailableError as error:
            raise UnavailableHereError(str(error), "start each service by itself: telecine serve") from error
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**python_environment(os.environ), **environment},
            # Ctrl-C goes to this process alone, which ends both in order.
            start_new_session=True,
        )

    def wait_until_ready(self) -> dict[str, str]:
        """Returns its line of JSON, with `address`. Raises UnavailableHereError where it does not start."""
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            timer.cancel()
        if not line:
            self._process.wait()
            raise UnavailableHereError(
                f"the {self.name} did not start", "its own message stands above; fix what it names"
            )
        ready: dict[str, str] = json.loads(line)
        return ready

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return self._process.poll()

    def stop(self) -> int:
        """Lets it drain, and ends it where it does not; returns its exit code."""
        if self._process.poll() is None:
            # Not by standard input as well: a service that is asked twice to end does not drain.
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return self._process.returncode


def serve_both(
    data_dir: Path,
    encoder_listen: str,
    collector_listen: str,
    *,
    http_listen: str | None = None,
    is_insecure: bool = False,
) -> int:
    """Serves until SIGTERM, Ctrl-C or the end of either; returns an exit code of the host's.

    `http_listen` is the collector's port for records over HTTP; None: as its own settings say.
    The collector starts first and ends last, so that the encoder's last records arrive.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    children: list[Child] = []
    try:
        collector_dir, encoder_dir = data_dir / "logs", data_dir / "encoder"
        insecure = ["--insecure"] if is_insecure else []
        http = ["--set", f"http_listen={http_listen}"] if http_listen is not None else []
        arguments = ["--listen", collector_listen, "--data-dir", str(collector_dir), *http, *insecure]
        children.append(Child("collector", "log_collector", arguments, {}))
        started = children[0].wait_until_ready()
        collector = started["address"]
        arguments = ["--listen", encoder_listen, "--data-dir", str(encoder_dir), *insecure]
        children.append(Child("encoder", "encoder_service", arguments, {"TELECINE_LOG_COLLECTOR": collector}))
        encoder = children[1].wait_until_ready()["address"]
        ready = {"event": "listening", "encoder": encoder, "collector": collector, "pid": os.getpid()}
        if started.get("http"):
            ready["http"] = started["http"]
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        while not stopping.wait(_LOOK_SECONDS) and all(child.exit_code is None for child in children):
            continue
    finally:
        codes = [child.stop() for child in reversed(children)]
    return 0 if stopping.is_set() and not any(codes) else 1
