"""The real log collector as a process of its own, for tests that kill, freeze and restart it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


class CollectorProcess:
    """One collector on one data directory; may be started again after its death, on the same port."""

    def __init__(
        self,
        data_dir: Path,
        settings: dict[str, str] | None = None,
        module: str = "log_collector",
        environ: dict[str, str] | None = None,
    ) -> None:
        """`module`: what runs it; `environ`: added to the test's own environment."""
        self.data_dir = data_dir
        self._module = module
        self._environ = environ or {}
        self.settings = {"host.drain_seconds": "5", "host.stop_grace_seconds": "1", **(settings or {})}
        self.address = ""
        self.http = ""
        """Of the HTTP port; empty: it is off."""
        self.process: subprocess.Popen[bytes] | None = None
        self.printed: list[bytes] = []
        """What nobody had read of its standard output when it ended, over all its lives."""

    def start(self, config: Path | None = None) -> CollectorProcess:
        """Starts it and returns once it answers."""
        listen = self.address or "127.0.0.1:0"
        command = [
            sys.executable,
            "-m",
            self._module,
            "--listen",
            listen,
            "--data-dir",
            str(self.data_dir),
        ]
        settings = self.settings | ({"http_listen": self.http} if self.http else {})
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        if config is not None:
            command += ["--config", str(config)]
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._environ},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        ready = json.loads(line)
        self.address, self.http = ready["address"], ready.get("http", "")
        return self

    @property
    def _log_path(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def log(self) -> str:
        """What it wrote to stderr, over all its lives."""
        return self._log_path.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """SIGTERM, unless it is gone already; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        assert self.process is not None
        code = self.process.wait(30)
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.printed += self.process.stdout.readlines()
            self.process.stdout.close()
        return code
