"""What is no spool of ours is neither written to nor removed, and links are not followed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from telecine.logging.shipping.spool import OWNERSHIP_FILE, RESOURCE_FILE, Resource, Spool, SpoolLimits
from telecine.logging.shipping.spool_reader import SpoolReader, spool_directories


def spool_in(root: Path, service: str = "worker") -> Spool:
    return Spool(root, Resource(service), SpoolLimits(), lambda _count, _reason: b"{}\n")


def finished(root: Path) -> Path:
    """A spool of a dead process, all of it acknowledged."""
    spool = spool_in(root)
    spool.append(b'{"n":1}\n')
    spool.close()
    (spool.directory / "acked").write_bytes(b"%020d\n" % 1)
    return spool.directory


def tree(path: Path) -> dict[str, bytes | None]:
    return {
        found.relative_to(path).as_posix(): found.read_bytes() if found.is_file() else None
        for found in sorted(path.rglob("*"))
    }


def claimed(directory: Path) -> SpoolReader:
    reader = SpoolReader.claim(directory)
    assert reader is not None
    return reader


def test_a_finished_spool_is_removed_whole(tmp_path: Path) -> None:
    directory = finished(tmp_path)
    assert list(spool_directories(tmp_path)) == [directory]
    assert claimed(directory).remove_if_finished()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "7.ndjson", "0000000000000000000x.ndjson", "sub"])
def test_a_file_of_somebody_else_in_a_spool_stays(tmp_path: Path, name: str) -> None:
    directory = finished(tmp_path)
    (directory / name).write_bytes(b"theirs")
    assert claimed(directory).remove_if_finished()
    assert tree(tmp_path) == {directory.name: None, f"{directory.name}/{name}": b"theirs"}


@pytest.mark.parametrize("name", ["backup", "worker-host-1", ".hidden-1-0123456789ab", "a-1-0123456789xy"])
def test_a_directory_that_is_no_spool_is_not_even_locked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / RESOURCE_FILE).write_text('{"service":"worker"}')
    (tmp_path / name / "owner.lock").write_bytes(b"")
    before = tree(tmp_path)
    assert list(spool_directories(tmp_path)) == []
    assert tree(tmp_path) == before


def test_a_directory_with_a_spools_name_and_other_contents_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "worker-host-1-0123456789ab"
    directory.mkdir()
    (directory / "data.bin").write_bytes(b"theirs")
    before = tree(tmp_path)
    assert SpoolReader.claim(directory) is None
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", [RESOURCE_FILE, OWNERSHIP_FILE, "owner.lock", "ship.lock", "acked"])
def test_a_link_in_a_spool_is_not_followed(tmp_path: Path, name: str) -> None:
    directory = finished(tmp_path / "spools")
    target = tmp_path / "target"
    target.write_bytes((directory / name).read_bytes() if (directory / name).exists() else b"")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(target)
    before = target.read_bytes()
    assert SpoolReader.claim(directory) is None
    assert target.read_bytes() == before


def test_a_linked_directory_is_no_spool_of_this_root(tmp_path: Path) -> None:
    directory = finished(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / directory.name).symlink_to(directory)
    assert list(spool_directories(tmp_path / "root")) == []


def test_a_spool_is_its_users_alone_and_its_id_cannot_be_guessed(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        spool = spool_in(tmp_path / "spools", "w" * 64)
        other = spool_in(tmp_path / "spools", "w" * 64)
    finally:
        os.umask(previous)
    try:
        claimed(spool.directory).release()
        assert [p for p in [spool.directory, *spool.directory.iterdir()] if p.stat().st_mode & 0o077] == []
        assert len(spool.producer) <= 128
        assert len(spool.producer.rpartition("-")[2]) == 32
        assert spool.producer != other.producer
        secrets = {(s.directory / OWNERSHIP_FILE).read_bytes() for s in (spool, other)}
        assert {len(secret) for secret in secrets} == {32}
        assert len(secrets) == 2
    finally:
        spool.close()
        other.close()


def test_nothing_that_logging_writes_is_for_other_users(tmp_path: Path) -> None:
    """Whatever the program's umask is: a program in a container often has none."""
    code = (
        "import os, sys; os.umask(0); from telecine.logging import configure_logging, get_logger\n"
        "configure_logging('worker', directory=sys.argv[1], collector='127.0.0.1:1', console='off',"
        " file_max_bytes=2000, flush_seconds=0)\n"
        "for n in range(100): get_logger('a').error('failed', n=n)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "logs")], check=True, cwd=tmp_path)
    found = [tmp_path / "logs", *(tmp_path / "logs").rglob("*")]
    assert any(path.name == "worker.log.1" for path in found)
    assert any(path.suffix == ".ndjson" for path in found)
    assert [path for path in found if path.stat().st_mode & 0o007] == []
