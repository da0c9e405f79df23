"""An embedded service can be reached by its own user alone, wherever temporary files go."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from telecine import Client
from telecine import exceptions as errors
from telecine.clients.embedded import EmbeddedServer
from telecine.embedding import socket_place
from telecine.embedding.private_directory import MARKER
from telecine.testing import SMALL, draw_clip

NOBODY = 65534
CONNECT = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as other:
    other.connect(sys.argv[1])
"""


def socket_of(server: EmbeddedServer) -> Path:
    assert server.address.startswith("unix:/")
    return Path(server.address.removeprefix("unix:"))


def encodes(server: EmbeddedServer) -> bool:
    with Client(server.address) as client:
        return client.encode(draw_clip(2), fps=2, outputs="mkv").job.state == "succeeded"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files, with a name that is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield temporary_at(Path(directory) / "tmp", monkeypatch)


def temporary_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return path


@pytest.mark.parametrize("service", ["encoder", "collector"])
@pytest.mark.parametrize("is_lasting", [False, True])
def test_nothing_listens_but_a_socket_in_a_directory_of_this_user(
    service: str, temporary: Path, tmp_path: Path, *, is_lasting: bool
) -> None:
    data_dir = tmp_path / "data" if is_lasting else None
    if data_dir is not None:
        data_dir.mkdir(mode=0o755)
    with EmbeddedServer(data_dir, service=service) as server:
        place = socket_of(server)
        assert place.parent.parent == temporary
        found = place.parent.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, os.geteuid())
        assert place.lstat().st_mode & 0o777 == 0o600
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert [each.net_connections("inet") for each in family] == [[]] * len(family)
    assert not any(temporary.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_another_user_cannot_connect(mode: int) -> None:
    with tempfile.TemporaryDirectory() as data_dir:
        Path(data_dir).chmod(mode)
        with EmbeddedServer(data_dir) as server:
            for uid, is_let_in in ((NOBODY, False), (0, True)):
                command = [sys.executable, "-c", CONNECT, str(socket_of(server)), str(uid)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert (done.returncode == 0) is is_let_in, done.stderr
                assert is_let_in or "PermissionError" in done.stderr


@pytest.mark.parametrize("name", ["x" * 95, "with space", "per%20cent", "ha#sh?", "zwölf", "co:lon"])
@pytest.mark.parametrize("is_lasting", [False, True])
def test_a_long_or_odd_name_of_the_temporary_directory_is_no_hindrance(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_lasting: bool
) -> None:
    temporary = temporary_at(tmp_path / name, monkeypatch)
    with EmbeddedServer(tmp_path / name / "data" if is_lasting else None, settings=SMALL) as server:
        place = socket_of(server)
        assert len(os.fsencode(place)) <= 100
        assert place.parent.stat().st_mode & 0o777 == 0o700
        assert temporary in server.data_dir.parents
        assert encodes(server)
    assert not place.parent.exists()
    assert not [path for path in temporary.iterdir() if path.name != "data"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_of_another_user_holds_no_socket(temporary: Path, mode: int) -> None:
    """Its owner may rename what lies in it, and put a socket of his there."""
    temporary.chmod(mode)
    assert temporary in socket_place.socket_bases(None)
    os.chown(temporary, 12345, 12345)
    assert temporary not in socket_place.socket_bases(None)
    os.chown(temporary, 0, 0)


def test_a_directory_in_which_others_may_exchange_files_holds_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = temporary_at(tmp_path / "tmp", monkeypatch)
    temporary.chmod(0o777)
    with EmbeddedServer(tmp_path / "data") as server:
        assert tmp_path not in socket_of(server).parents
    with EmbeddedServer() as server:
        assert tmp_path not in socket_of(server).parents
        assert server.data_dir.parent.stat().st_mode & 0o777 == 0o700
        assert temporary in server.data_dir.parents
    assert not any(temporary.iterdir())


def test_a_relative_data_directory_stays_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedServer("data", settings=SMALL) as server:
        monkeypatch.chdir("/")
        assert server.data_dir == tmp_path / "data"
        assert encodes(server)


def test_a_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with EmbeddedServer(settings=SMALL) as server:
        assert encodes(server)


def test_several_services_live_side_by_side(temporary: Path) -> None:
    with EmbeddedServer(settings=SMALL) as one, EmbeddedServer(settings=SMALL) as other:
        with EmbeddedServer(service="collector") as collector:
            assert len({one.address, other.address, collector.address}) == 3
        assert encodes(one)
        assert encodes(other)


def test_without_unix_sockets_it_listens_on_loopback_and_says_so(
    monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    assert not socket_place.has_unix_sockets()
    with pytest.warns(RuntimeWarning, match="every user"), EmbeddedServer(settings=SMALL) as server:
        assert server.address.startswith("127.0.0.1:")
    assert not any(temporary.iterdir())


def test_no_directory_for_temporary_files_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(errors.EmbeddedUnavailableError, match="TELECINE_DATA_DIR"):
        EmbeddedServer()
    with EmbeddedServer(tmp_path / "data", settings=SMALL) as server:
        assert encodes(server)


def test_a_temporary_directory_that_cannot_be_written_to_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(errors.EmbeddedUnavailableError, match="TELECINE_DATA_DIR"):
        EmbeddedServer()


def test_a_failed_start_leaves_nothing(temporary: Path) -> None:
    with pytest.raises(errors.EmbeddedUnavailableError, match="no_such_setting"):
        EmbeddedServer(settings={"no_such_setting": "1"})
    assert not any(temporary.iterdir())


def test_a_service_removes_no_directory_that_was_not_made_for_it(temporary: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (precious / "file").write_text("stays")
    (precious / MARKER).write_text("not a marker of ours")
    with pytest.raises(errors.EmbeddedUnavailableError, match="was not made for an embedded service"):
        EmbeddedServer(settings={"host.temporary_directories": f'["{precious}"]'})
    assert (precious / "file").exists()
