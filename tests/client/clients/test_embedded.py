"""The embedded service lives as long as its program, however that ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import psutil
import pytest
from telecine import installation
from telecine.clients import embedded
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer, embedded_server
from telecine.clients.logs import LogClient
from telecine.embedding.private_directory import MARKER
from telecine.exceptions import EmbeddedUnavailableError, JobNotFoundError
from telecine.installation import install_command
from telecine.testing import SMALL, draw_clip

from tests.eventually import eventually


def program(body: str, cwd: Path) -> subprocess.Popen[str]:
    """A user's script, without a main guard, as it stands in a file."""
    script = cwd / "script.py"
    script.write_text(textwrap.dedent(body))
    return subprocess.Popen(
        [sys.executable, str(script)], cwd=cwd, text=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_one_liner_needs_nothing_but_frames(tmp_path: Path) -> None:
    body = """
        import telecine
        from telecine.testing import draw_clip
        from telecine.clients.embedded import embedded_server

        result = telecine.encode(draw_clip(), fps=8, outputs=[telecine.Output("mkv", codec="ffv1")])
        print(result["mkv"].local_path)
        print(embedded_server().pid, embedded_server().data_dir)
    """
    run = program(body, tmp_path)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    path, server = output.splitlines()
    assert (tmp_path / path).stat().st_size > 0
    pid, data_dir = server.split()
    assert not is_alive(int(pid))
    assert not Path(data_dir).exists()


def test_it_ends_with_a_program_that_is_killed(tmp_path: Path) -> None:
    body = """
        import sys, threading
        from telecine.clients.embedded import embedded_server
        print(embedded_server().pid, flush=True)
        threading.Event().wait()
    """
    run = program(body, tmp_path)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    eventually(lambda: not any(map(is_alive, family)))


def test_one_service_is_shared_and_a_dead_one_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TELECINE_DATA_DIR", str(tmp_path))
    first = embedded_server()
    assert embedded_server() is first
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not first.is_running)
    second = embedded_server()
    assert second is not first
    first.close()
    embedded._close_own(os.getpid())
    assert not second.is_running


def test_jobs_outlive_the_service_in_a_lasting_directory(tmp_path: Path) -> None:
    for index in range(2):
        with EmbeddedServer(tmp_path, settings=SMALL) as server, Client(server.address) as client:
            client.encode(draw_clip(), fps=8, outputs="mkv", job_id=f"job-{index}")
            assert len(list(client.jobs())) == index + 1
    assert server.log_path.exists()


def test_it_listens_on_a_socket_too(tmp_path: Path) -> None:
    with (
        EmbeddedServer(tmp_path / "data", listen=f"unix:{tmp_path}/s", settings=SMALL) as server,
        Client(server.address) as client,
    ):
        assert client.capabilities().workers == 2


def test_a_missing_extra_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(installation.PARTS, "encoder", {"no-such-package": "no_such_package"})
    with pytest.raises(EmbeddedUnavailableError, match="no-such-package") as caught:
        EmbeddedServer()
    assert install_command("encoder") in caught.value.__notes__[0]


def test_it_runs_a_log_collector_too_and_the_encoder_ships_its_records_there(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "logs", service="collector") as collector:
        environment = {"TELECINE_LOG_COLLECTOR": collector.address}
        with (
            EmbeddedServer(tmp_path / "data", settings=SMALL, environment=environment) as server,
            Client(server.address) as client,
        ):
            client.encode(draw_clip(), fps=8, outputs="mkv", job_id="told")

        with LogClient(collector.address) as logs:

            def told() -> set[str]:
                try:
                    return {stage.stage for stage in logs.job_story("told").stages}
                except JobNotFoundError:
                    return set()

            eventually(lambda: told() >= {"encode:accepted", "encode:output", "encode:complete"})


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedUnavailableError, match=r"(?s)ended with status 2.*no_such_setting"):
        EmbeddedServer(tmp_path, settings={"no_such_setting": "1"})


def test_a_forked_child_leaves_its_parents_service_alone() -> None:
    with EmbeddedServer(settings=SMALL) as server:
        child = os.fork()
        if not child:
            server.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert server.is_running
        with Client(server.address) as client:
            client.encode(draw_clip(), fps=8, outputs="mkv")


def test_closing_twice_is_once(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, settings=SMALL)
    server.close()
    server.close()
    assert not server.is_running


PUSHING = """
    import sys
    import numpy as np
    import telecine
    from telecine.clients.embedded import embedded_server
    job = telecine.Client().open_job(fps=24, outputs=["mp4", "webm"])
    for _ in range(60):
        job.push(np.random.default_rng(0).integers(0, 256, (240, 416, 3), np.uint8))
    if {is_finished}:
        job.finish()
    print(embedded_server().pid, flush=True)
    sys.stdin.read() if sys.stdin else None
    import threading; threading.Event().wait()
"""


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT])
def test_a_killed_program_leaves_none_of_its_frames(
    end: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_finished: bool
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    run = program(PUSHING.format(is_finished=is_finished), tmp_path)
    assert run.stdout is not None
    run.stdout.readline()
    assert any(temporary.iterdir())
    run.send_signal(end)
    run.wait()
    run.stdout.close()
    eventually(lambda: not any(temporary.iterdir()), timeout_seconds=60)


def test_the_next_start_removes_what_was_left_when_program_and_service_were_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    (temporary / "telecine-of-somebody").mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    run = program(PUSHING.format(is_finished=False), tmp_path)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    (left,) = set(temporary.iterdir()) - {temporary / "telecine-of-somebody"}
    os.kill(pid, signal.SIGSTOP)
    run.kill()
    run.wait()
    run.stdout.close()
    with EmbeddedServer(settings=SMALL):
        assert left.exists(), "its service is alive"
    # A process is a zombie while threads of it are still ending, and its workers die a moment later.
    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(is_alive(each) for each in pids) and not is_locked(left / MARKER))
    with EmbeddedServer(settings=SMALL):
        assert not left.exists()
    assert [path.name for path in temporary.iterdir()] == ["telecine-of-somebody"]


def test_a_service_that_was_killed_leaves_nothing_once_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("TELECINE_DATA_DIR", raising=False)
    first = embedded_server()
    os.kill(first.pid, signal.SIGKILL)
    eventually(lambda: not first.is_running)
    assert embedded_server().is_running
    assert not first.data_dir.exists()
    embedded._close_own(os.getpid())
    assert not any(tmp_path.iterdir())
