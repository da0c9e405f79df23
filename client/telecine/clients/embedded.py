"""Services of this process's own: child programs that end with it."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal, NoReturn, Self

from telecine.clients.belonging import not_pickled
from telecine.clients.settings import load_sdk_config
from telecine.embedding.data_directory import MAX_PROCESSES, is_locked, is_taken, places
from telecine.embedding.private_directory import PrivateDirectory, remove_abandoned
from telecine.embedding.python_program import python_command, python_environment
from telecine.embedding.socket_place import (
    SOCKET,
    has_unix_sockets,
    make_socket_directory,
    takes_socket,
    temporary_base,
    usual_bases,
)
from telecine.exceptions import EmbeddedUnavailableError
from telecine.installation import install_command, missing_parts

_MODULES = {"encoder": "encoder_service", "collector": "log_collector"}
_START_SECONDS = 60.0
_WRONG_CONFIGURATION = 2
"""Status of a service that cannot use its settings; it has named each of them."""
_SERVICE_COMPLAINS = (
    "Correct what the service names, in the file or variable that it names; `telecine config show encoder "
    "collector` shows every setting and its source."
)
_STOP_SECONDS = 40.0


class EmbeddedServer:
    """A running service, as a child program of this process.

    Close it when it is no longer needed; it ends with this process anyway, even if that is killed.

    Args:
        data_dir: Where jobs and artifacts are kept. None: a temporary directory that is removed with the
            service, also when this process or the service is killed.
        listen: "127.0.0.1:0" (any free port, open to every user of this machine) or "unix:/path". None: a
            Unix socket that only this user can reach (where the platform has none, "127.0.0.1:0", with a
            warning).
        settings: Any settings of the service's configuration, such as {"limits.max_job_bytes": "1GiB"}.
            None: the defaults.
        log: A binary file for its standard error. None: `<service>.log` in the data directory.
        service: "encoder", or "collector" for a log collector.
        environment: Environment variables for the child, added to those of this process. None: none.

    Raises:
        EmbeddedUnavailableError: The service's extra is not installed, or the service does not start.
    """

    def __init__(
        self,
        data_dir: str | Path | None = None,
        *,
        listen: str | None = None,
        settings: dict[str, str] | None = None,
        log: IO[bytes] | None = None,
        service: Literal["encoder", "collector"] = "encoder",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        check_installed(service)
        command = python_command(_MODULES[service])
        self._service = service
        self._owner = os.getpid()
        self._close_lock = threading.Lock()
        place = _Place(data_dir, listen)
        self._place = place
        self.data_dir = place.data_dir
        """Where jobs and artifacts are."""
        self.log_path = self.data_dir / f"{service}.log"
        try:
            command += ["--listen", place.listen, "--exit-with-parent", "--data-dir", str(self.data_dir)]
            command += [
                part for key, value in place.settings(settings) for part in ("--set", f"{key}={value}")
            ]
            self._process = _start(command, log, self.log_path, environment or {}, place.locks)
        except BaseException as error:
            place.remove()
            if isinstance(error, OSError):
                raise EmbeddedUnavailableError(
                    f"the embedded {service} cannot be started: {error}"
                ) from error
            raise
        self.pid = self._process.pid
        """The process id of the child."""
        try:
            self.address = self._wait_for_address()
            """Where it listens: pass it to `Client`."""
        except BaseException:
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """Whether the child process is still running."""
        return self._process.poll() is None

    def __reduce__(self) -> NoReturn:
        raise not_pickled("an embedded server", "Pass its address; it ends with the process that started it.")

    def close(self) -> None:
        """Lets the service drain, ends it, and removes its temporary directory. Idempotent.

        In a process forked from the one that started the service it does nothing: the service belongs to the
        parent.
        """
        if os.getpid() != self._owner:
            return
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
            self._place.remove()

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
                f"the embedded {self._service} did not start: {why}{self._last_words()}",
                recovery=_SERVICE_COMPLAINS if status == _WRONG_CONFIGURATION else "",
            )
        return str(json.loads(line)["address"])

    def _last_words(self) -> str:
        if not self.log_path.exists():
            return ""
        return "; it said: " + self.log_path.read_text(errors="replace")[-2000:].strip()


class _Place:
    """Where a service keeps its data and listens, and what of that is removed with it."""

    def __init__(self, data_dir: str | Path | None, listen: str | None) -> None:
        """Makes the directories, and removes those of services that were killed.

        Raises EmbeddedUnavailableError.
        """
        self._private: list[PrivateDirectory] = []
        lasting = None if data_dir is None else Path(data_dir).expanduser().absolute()
        remove_abandoned(usual_bases(lasting))
        try:
            self.data_dir = self._temporary_data_dir() if lasting is None else lasting
            self.data_dir.mkdir(parents=True, exist_ok=True)
            self.listen = listen or self._private_address(lasting)
        except BaseException as error:
            self.remove()
            if isinstance(error, OSError):
                raise EmbeddedUnavailableError(
                    f"the data directory of the embedded service cannot be made: {error}; "
                    "name another one as data_dir (TELECINE_DATA_DIR)"
                ) from error
            raise

    @property
    def locks(self) -> tuple[int, ...]:
        """Descriptors for the service to inherit: it may outlive this process for a while."""
        return tuple(directory.lock for directory in self._private)

    def settings(self, chosen: Mapping[str, str] | None) -> list[tuple[str, str]]:
        """The service's settings, with those that make it clean up."""
        own = [("host.temporary_directories", json.dumps([str(each.path) for each in self._private]))]
        return [*(own if self._private else []), *(chosen or {}).items()]

    def remove(self) -> None:
        """Removes what is temporary; idempotent."""
        for directory in self._private:
            directory.remove()

    def _temporary_data_dir(self) -> Path:
        self._private.append(PrivateDirectory.make(temporary_base()))
        return self._private[0].path / "data"

    def _private_address(self, lasting: Path | None) -> str:
        if not has_unix_sockets():
            warnings.warn(
                "this platform has no Unix sockets: the embedded service listens on a loopback port, which "
                "every user of this machine can reach",
                RuntimeWarning,
                stacklevel=4,
            )
            return "127.0.0.1:0"
        found = next((each for each in self._private if takes_socket(each.path)), None)
        if found is None:
            found = make_socket_directory(lasting)
            self._private.append(found)
        return f"unix:{found.path / SOCKET}"


def check_installed(service: str) -> None:
    """Raises EmbeddedUnavailableError where a package that the service needs is missing."""
    missing = missing_parts(service)
    if missing:
        raise EmbeddedUnavailableError(
            f"the embedded {service} needs packages that are not installed: {', '.join(missing)} "
            f"({install_command(service)})",
            recovery=f"Install them with: {install_command(service)}; or name a server that runs.",
        )


def _start(
    command: Sequence[str],
    log: IO[bytes] | None,
    log_path: Path,
    environment: Mapping[str, str],
    locks: Sequence[int],
) -> subprocess.Popen[bytes]:
    with log_path.open("ab") as own_log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log or own_log,
            env={**python_environment(os.environ), **environment},
            pass_fds=locks,
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
"""The server of each process id: a forked child must not use, or end, its parent's."""


def embedded_server() -> EmbeddedServer:
    """Returns this process's embedded service: started at the first call, shared, ended at exit.

    It keeps its data in a temporary directory, or in the configured `data_dir` (TELECINE_DATA_DIR); while
    another process has that, in `processes/2` below it, and so on. If it has died, a new one is started, in
    the same place if that place is permanent.
    """
    with _lock:
        server = _shared.get(os.getpid())
        if server is None or not server.is_running:
            if server is not None:
                server.close()  # what a killed one has left
            server = _start_in(load_sdk_config().value.data_dir)
            _shared[os.getpid()] = server
            atexit.register(_close_own, os.getpid())
        return server


def _start_in(data_dir: Path | None) -> EmbeddedServer:
    if data_dir is None:
        return EmbeddedServer()
    for place in places(Path(data_dir).expanduser().absolute()):
        if is_taken(place):
            continue
        try:
            return EmbeddedServer(place)
        except EmbeddedUnavailableError:
            if not is_locked(place):  # else another process was faster
                raise
    raise EmbeddedUnavailableError(
        f"{MAX_PROCESSES} processes keep their data in {data_dir}",
        recovery="Name another data_dir (TELECINE_DATA_DIR), or one server for all of them.",
    )


def embedded_address() -> str:
    """Where this process's own encoder listens; starts it if need be. Raises EmbeddedUnavailableError."""
    return embedded_server().address


def _close_own(process_id: int) -> None:
    server = _shared.pop(process_id, None) if os.getpid() == process_id else None
    if server is not None:
        server.close()
