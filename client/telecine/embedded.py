"""Services of this process's own: child programs that end with it."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, Self

from telecine.exceptions import EmbeddedUnavailableError
from telecine.sdk_config import load_sdk_config

_MODULES = {"encoder": "encoder_service", "collector": "log_collector"}
# Without these, each message of a megabyte faults its pages in anew (glibc).
MALLOC_SETTINGS = {
    "MALLOC_TRIM_THRESHOLD_": "536870912",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0
_NEEDED = {
    "encoder": ("encoder_service", "av", "grpc_health", "prometheus_client"),
    "collector": ("log_collector", "re2", "opentelemetry.proto", "grpc_health", "prometheus_client"),
}


class EmbeddedServer:
    """A running service. Whoever starts one closes it; it ends with this process anyway, even if killed.

    `data_dir`: where jobs and artifacts are kept; None: a temporary directory that is removed on close.
    `listen`: "127.0.0.1:0" (any free port) or "unix:/path". `settings`: any setting of the service's
    configuration, such as {"limits.max_job_bytes": "1GiB"}. `log`: where its standard error goes; None:
    the file `<service>.log` in the data directory. `service`: "encoder", or "collector" for a log
    collector. `environment`: set for the child beside this process's own.

    Raises EmbeddedUnavailableError when the service's extra is missing or it does not start.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        *,
        listen: str = "127.0.0.1:0",
        settings: dict[str, str] | None = None,
        log: IO[bytes] | None = None,
        service: Literal["encoder", "collector"] = "encoder",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        _check_installed(service)
        self._service = service
        self._is_temporary = data_dir is None
        self.data_dir = Path(data_dir or tempfile.mkdtemp(prefix="telecine-"))
        """Where jobs and artifacts are."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.log_path = self.data_dir / f"{service}.log"
        command = [sys.executable, "-m", _MODULES[service], "--listen", listen, "--exit-with-parent"]
        command += ["--data-dir", str(self.data_dir)]
        command += [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        self._close_lock = threading.Lock()
        self._process = _start(command, log, self.log_path, environment or {})
        self.pid = self._process.pid
        """The child's process id."""
        try:
            self.address = self._wait_for_address()
            """Where it listens: pass it to `Client`."""
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """The child has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """Lets the service drain, ends it, and removes its temporary directory. Idempotent."""
        with self._close_lock:
            if self._process.stdin is not None and not self._process.stdin.closed:
                # The service drains when its standard input ends; a signal too would end it at once.
                self._process.stdin.close()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            if self._is_temporary:
                shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_for_address(self) -> str:
        line = _read_line(self._process, time.monotonic() + _START_SECONDS)
        if not line:
            status = self._process.poll()
            why = f"it ended with status {status}" if status is not None else "it was not ready in time"
            raise EmbeddedUnavailableError(
                f"the embedded {self._service} did not start: {why}{self._last_words()}"
            )
        return str(json.loads(line)["address"])

    def _last_words(self) -> str:
        if not self.log_path.exists():
            return ""
        return "; it said: " + self.log_path.read_text(errors="replace")[-2000:].strip()


def _check_installed(service: str) -> None:
    missing = [name for name in _NEEDED[service] if not _is_installed(name)]
    if missing:
        raise EmbeddedUnavailableError(
            f"the embedded {service} needs packages that are not installed: {', '.join(missing)} "
            f"(pip install 'telecine[{service}]')"
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of a package that the name lies in
        return False


def _start(
    command: Sequence[str], log: IO[bytes] | None, log_path: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log_path.open("ab") as own_log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log or own_log,
            env={**MALLOC_SETTINGS, **os.environ, **environment},
            # Ctrl-C in a terminal goes to this process, which decides what becomes of the service.
            start_new_session=True,
        )


def _read_line(process: subprocess.Popen[bytes], deadline_seconds: float) -> bytes:
    """The child's first line; empty when it ended or the time is over."""
    pipe = process.stdout
    line = b""
    while pipe is not None and not line.endswith(b"\n"):
        remaining = deadline_seconds - time.monotonic()
        if remaining <= 0 or not select.select([pipe], [], [], remaining)[0]:
            return b""
        part = os.read(pipe.fileno(), 4096)
        if not part:
            process.wait(5)
            return b""
        line += part
    return line


_lock = threading.Lock()
_shared: dict[int, EmbeddedServer] = {}
"""By process id: a forked child must not use, or end, its parent's."""


def embedded_server() -> EmbeddedServer:
    """This process's embedded service: started at the first call, shared, ended at exit.

    It keeps its data in a temporary directory, or in the configured `data_dir` (TELECINE_DATA_DIR). One
    that has died is started anew, in the same place if that is lasting.
    """
    with _lock:
        server = _shared.get(os.getpid())
        if server is None or not server.is_running:
            server = EmbeddedServer(load_sdk_config().value.data_dir)
            _shared[os.getpid()] = server
            atexit.register(_close_own, os.getpid())
        return server


def _close_own(process_id: int) -> None:
    server = _shared.pop(process_id, None) if os.getpid() == process_id else None
    if server is not None:
        server.close()
