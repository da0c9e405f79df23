"""The real encoder service as a process of its own, for tests that kill, freeze and restart it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from service_host.disk.data_directory import MARKER
from tests.eventually import eventually

DEFAULTS = {
    "workers": "2",
    "threads_per_worker": "1",
    "worker_niceness": "0",
    "min_free_bytes": "0",
    "host.drain_seconds": "5",
    "host.stop_grace_seconds": "1",
}


class ServerProcess:
    """One service on one data directory; may be started again after its death."""

    def __init__(self, data_dir: Path, settings: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.settings = {**DEFAULTS, **(settings or {})}
        self.address = ""
        self.admin = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._family: dict[int, psutil.Process] = {}

    # --- life ------------------------------------------------------------------------------------

    def start(self, environ: dict[str, str] | None = None, port: int = 0) -> ServerProcess:
        """Starts the service and returns once it answers."""
        command = [sys.executable, "-m", "encoder_service", "--listen", f"127.0.0.1:{port}"]
        command += ["--admin-listen", "127.0.0.1:0", "--data-dir", str(self.data_dir)]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        log = (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environ or {})},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        listening = json.loads(line)
        self.address, self.admin = listening["address"], listening["admin"]
        return self

    @property
    def pid(self) -> int:
        """Of the service."""
        assert self.process is not None
        return self.process.pid

    @property
    def port(self) -> int:
        """Of the gRPC address."""
        return int(self.address.rpartition(":")[2])

    def log(self) -> str:
        """What the service wrote to stderr, over all its lives."""
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text()

    def kill(self) -> None:
        """SIGKILL, and waits until the process is gone."""
        self._remember_family()
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout_seconds: float = 30.0) -> int:
        """Waits for the end; returns the exit code."""
        assert self.process is not None
        self._remember_family()
        code = self.process.wait(timeout_seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def stop(self) -> int:
        """SIGTERM, unless it is gone already; returns the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self._remember_family()
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        return self.wait()

    # --- looking ---------------------------------------------------------------------------------

    def workers(self) -> list[psutil.Process]:
        """The worker processes alive."""
        return [worker for zygote in self.zygotes() for worker in _children(zygote)]

    def zygotes(self) -> list[psutil.Process]:
        """The programs that workers are forked from: one, but for the moment after its death."""
        return _children(psutil.Process(self.pid))

    def _remember_family(self) -> None:
        try:
            for child in psutil.Process(self.pid).children(recursive=True):
                self._family[child.pid] = child
        except psutil.NoSuchProcess:
            pass

    def assert_no_orphans(self) -> None:
        """No worker that the dead service ever had is left."""
        eventually(lambda: not [child for child in self._family.values() if _is_alive(child)], 10)

    def job_directory(self, job_id: str) -> Path:
        """Where the job's artifacts lie."""
        return next((self.data_dir / "artifacts").glob(f"*_{job_id}"))

    def stage_log(self, job_id: str) -> str:
        """The job's stage.log."""
        return (self.job_directory(job_id) / "stage.log").read_text()

    def assert_tidy(self) -> None:
        """No spool, no attempt's directory and no temporary file is left when every job has ended."""

        def leftovers() -> list[str]:
            try:
                spools = list((self.data_dir / "spool").iterdir())
                hidden = [path for path in self.data_dir.rglob(".*") if path.name != MARKER]
            except FileNotFoundError as error:  # something is just being removed
                return [str(error)]
            return [str(path) for path in spools + hidden]

        eventually(lambda: not leftovers(), 10, says=str(leftovers()))


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
