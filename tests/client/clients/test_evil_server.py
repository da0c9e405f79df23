"""A server on this machine that means harm can neither kill the client nor have it open files."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine.sharing.local_file import is_artifact_path, open_own_file, pieces_of
from telecine.upload.ring import RingMemory

from encoder_service.spool.ring import Ring

SIZE = 1 << 16
NONCE = b"N" * 16
BOTH = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


@pytest.fixture
def memory() -> Iterator[int]:
    """A memory file as a server could offer it; nothing seals it yet."""
    file = os.memfd_create("telecine-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, SIZE)
    os.pwrite(file, NONCE, 0)
    yield file
    os.close(file)


def offered(file: int) -> str:
    return f"/proc/{os.getpid()}/fd/{file}"


def test_memory_that_cannot_change_its_size_is_mapped(memory: int) -> None:
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, BOTH)
    assert RingMemory.open(offered(memory), SIZE, NONCE) is not None


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_SEAL])
def test_memory_that_could_be_taken_away_is_not(memory: int, seals: int) -> None:
    if seals:
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    assert RingMemory.open(offered(memory), SIZE, NONCE) is None


@pytest.mark.parametrize("size_bytes", [0, -1, 1, SIZE - 1, SIZE + 1, 2 * SIZE, 1 << 40])
def test_its_size_is_the_files(memory: int, size_bytes: int) -> None:
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, BOTH)
    assert RingMemory.open(offered(memory), size_bytes, NONCE) is None


@pytest.mark.parametrize("nonce", [b"", b"N", NONCE[:15], NONCE + b"N", b"M" * 16])
def test_its_nonce_is_whole_and_right(memory: int, nonce: bytes) -> None:
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, BOTH)
    assert RingMemory.open(offered(memory), SIZE, nonce) is None


def test_memory_of_another_name_or_user_is_not_mapped(memory: int) -> None:
    other = os.memfd_create("somebody-elses", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(other, SIZE)
    os.pwrite(other, NONCE, 0)
    fcntl.fcntl(other, fcntl.F_ADD_SEALS, BOTH)
    assert RingMemory.open(offered(other), SIZE, NONCE) is None
    os.close(other)
    if os.geteuid() == 0:
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, BOTH)
        os.fchown(memory, 65534, 65534)
        assert RingMemory.open(offered(memory), SIZE, NONCE) is None


@pytest.mark.parametrize(
    "form", ["{0}", "/proc/self/root{0}", "/proc/self/cwd/file", "/proc/{1}/fd/../../..{0}", "{0}\0"]
)
def test_no_path_but_that_of_a_process_s_descriptor_is_opened(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(NONCE.ljust(SIZE))
    monkeypatch.chdir(tmp_path)

    def refused(*_: object, **__: object) -> int:
        raise AssertionError("it was opened")

    monkeypatch.setattr("telecine.upload.ring.open_own_file", refused)
    assert RingMemory.open(form.format(tmp_path / "file", os.getpid()), SIZE, NONCE) is None


def test_a_descriptor_that_is_no_memory_is_not_opened(tmp_path: Path) -> None:
    """To open a device or the reading end of a pipe has effects."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(file, NONCE.ljust(SIZE))
    with socket.socket() as listener:
        for descriptor in (reader, file, listener.fileno(), os.open("/dev/null", os.O_RDWR)):
            assert RingMemory.open(offered(descriptor), SIZE, NONCE) is None
            if descriptor != listener.fileno():
                os.close(descriptor)


ARTIFACT = "/data/artifacts/20260101_120000_job-1/frames/0001.png"


@pytest.mark.parametrize(
    "local_path",
    [ARTIFACT, ARTIFACT.replace("job-1", "job-1_2"), ARTIFACT.removeprefix("/data")],
)
def test_an_artifact_is_looked_for_where_services_keep_them(local_path: str) -> None:
    assert is_artifact_path(local_path, "job-1", "frames/0001.png")


@pytest.mark.parametrize(
    "local_path",
    [
        "",
        "/",
        "/etc/shadow",
        "/root/.ssh/id_rsa",
        "/dev/sda",
        ARTIFACT.removeprefix("/"),
        ARTIFACT + "/../../../../../etc/shadow",
        ARTIFACT.replace("/data/", "/data/../"),
        ARTIFACT.replace("job-1", "job-2"),
        ARTIFACT.replace("20260101_120000_", ""),
        ARTIFACT.replace("artifacts", "other"),
        ARTIFACT.replace("0001", "0002"),
        ARTIFACT.replace("/frames", ""),
        ARTIFACT + "\0",
    ],
)
def test_what_else_a_server_names_is_not_even_looked_at(local_path: str) -> None:
    assert not is_artifact_path(local_path, "job-1", "frames/0001.png")


def test_links_pipes_and_files_of_other_users_are_not_opened(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    file.write_bytes(b"four")
    link.symlink_to(file)
    os.mkfifo(pipe)
    assert b"".join(pieces_of(str(file), 0, 4)) == b"four"
    assert list(pieces_of(str(link), 0, 4)) == []
    assert open_own_file(str(pipe), os.O_RDONLY) is None
    with pytest.raises(OSError, match="No such device"):  # nobody reads it: it was not opened
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
        assert list(pieces_of(str(file), 0, 4)) == []


def test_what_the_service_offers_is_of_that_kind() -> None:
    ring = Ring(SIZE)
    found = os.open(ring.offer.path, os.O_RDONLY)
    assert stat.S_ISREG(os.fstat(found).st_mode)
    os.close(found)
    assert RingMemory.open(ring.offer.path, SIZE, ring.offer.nonce) is not None
    ring.close()
