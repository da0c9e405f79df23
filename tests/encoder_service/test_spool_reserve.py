"""Spools of ended jobs: used again by the next uploads, gone soon, and never mistaken for new frames."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service import spool_mark
from encoder_service.spool import Spool
from encoder_service.spool_reserve import SpoolReserve

KEEP_SECONDS = 10.0


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def unix_nano(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now


def reserve_of(directory: Path, limit_bytes: int = 1000) -> SpoolReserve:
    reserve = SpoolReserve(directory / "reserve", limit_bytes, KEEP_SECONDS, FakeClock())
    reserve.open()
    return reserve


def given_file(reserve: SpoolReserve, directory: Path, data: bytes) -> int:
    """Gives a file to the reserve; returns its inode."""
    path = directory / "ended.raw"
    path.write_bytes(data)
    inode = path.stat().st_ino
    reserve.give(path)
    assert not path.exists()
    return inode


def sizes(directory: Path) -> list[int]:
    return sorted(path.stat().st_size for path in (directory / "reserve").iterdir())


def test_a_new_spool_in_an_old_file_holds_nothing_yet(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path)
    inode = given_file(reserve, tmp_path, b"old frames")
    path = tmp_path / "video.raw"
    assert reserve.take(path, 0)
    assert not reserve.take(tmp_path / "other.raw", 0)
    spool = Spool(path, is_new=True)
    assert (spool.persisted_bytes, path.stat().st_ino) == (0, inode)
    spool.append([b"new"])
    spool.close()

    again = Spool(path, is_new=True)
    assert again.persisted_bytes == 3
    again.append([b"er"])
    again.complete()
    again.complete()
    assert path.read_bytes() == b"newer"
    assert Spool(path, is_new=False).persisted_bytes == 5
    again.settle()
    again.settle()
    again.close()
    assert path.read_bytes() == b"newer"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reserve", "video.raw"]
    assert Spool(path, is_new=False).persisted_bytes == 5


def test_a_spool_may_outgrow_the_old_file(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path)
    given_file(reserve, tmp_path, b"old")
    reserve.take(tmp_path / "video.raw", 0)
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"longer ", b"than the old"], is_synced=True)
    spool.complete(is_synced=True)
    assert (tmp_path / "video.raw").read_bytes() == b"longer than the old"


def test_after_a_loss_of_power_an_old_file_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = reserve_of(tmp_path)
    given_file(reserve, tmp_path, b"old frames")
    reserve.take(tmp_path / "video.raw", 0)
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"new"])
    monkeypatch.setattr(spool_mark, "host_id", lambda: "another run of the machine")
    assert Spool(tmp_path / "video.raw", is_new=True).persisted_bytes == 0


def test_a_loss_of_power_never_turns_old_frames_into_a_complete_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = reserve_of(tmp_path)
    given_file(reserve, tmp_path, b"old frames")
    reserve.take(tmp_path / "video.raw", 0)
    spool = Spool(tmp_path / "video.raw", is_new=True)
    spool.append([b"new frames"])
    spool.complete()
    with monkeypatch.context() as restarted:
        restarted.setattr(spool_mark, "host_id", lambda: "another run of the machine")
        assert Spool(tmp_path / "video.raw", is_new=True).persisted_bytes == 0
    spool.settle()
    monkeypatch.setattr(spool_mark, "host_id", lambda: "another run of the machine")
    assert Spool(tmp_path / "video.raw", is_new=True).persisted_bytes == 10


def test_a_kill_between_mark_and_file_leaves_an_empty_spool(tmp_path: Path) -> None:
    path = tmp_path / "video.raw"
    spool_mark.Mark.make(spool_mark.mark_path(path))
    spool = Spool(path, is_new=True)
    assert spool.persisted_bytes == 0
    spool.append([b"frames"])
    assert Spool(path, is_new=True).persisted_bytes == 6


def test_a_mark_beyond_the_file_promises_no_more_than_is_there(tmp_path: Path) -> None:
    path = tmp_path / "video.raw"
    spool_mark.Mark.make(spool_mark.mark_path(path))
    spool = Spool(path, is_new=True)
    spool.append([b"frames"])
    os.truncate(path, 2)
    assert Spool(path, is_new=True).persisted_bytes == 2


WRITER = """
import sys
from pathlib import Path
from encoder_service.spool import Spool
spool = Spool(Path(sys.argv[1]), is_new=True)
while True:
    start = spool.persisted_bytes
    spool.append([bytes([1 + number % 250]) * 1000 for number in range(start // 1000, start // 1000 + 7)])
    print(spool.persisted_bytes, flush=True)
"""


def test_a_process_killed_while_it_writes_over_keeps_all_that_it_told(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path, 1 << 30)
    given_file(reserve, tmp_path, b"\xff" * (64 << 20))
    path = tmp_path / "video.raw"
    reserve.take(path, 0)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline() for _ in range(200)]
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.readlines()
        told_bytes = max(int(line) for line in told if line.endswith("\n"))
        spool = Spool(path, is_new=True)
        assert spool.persisted_bytes >= told_bytes
        spool.close()
    count = spool.persisted_bytes // 1000
    written = path.read_bytes()[: count * 1000]
    assert written == b"".join(bytes([1 + number % 250]) * 1000 for number in range(count))


def test_what_is_kept_is_bounded_and_the_newest_first(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path, 1000)
    for size in (300, 400, 500):
        given_file(reserve, tmp_path, bytes(size))
    reserve.trim()
    assert sizes(tmp_path) == [100, 400, 500], "the oldest is cut to what room is left"
    reserve.trim(is_disk_short=True)
    assert sizes(tmp_path) == []


def test_what_nobody_uses_is_gone_before_the_disk_sees_it(tmp_path: Path) -> None:
    clock = FakeClock()
    reserve = SpoolReserve(tmp_path / "reserve", 1000, KEEP_SECONDS, clock)
    reserve.open()
    given_file(reserve, tmp_path, b"frames")
    clock.now += KEEP_SECONDS
    reserve.trim()
    assert sizes(tmp_path) == [6]
    clock.now += 0.1
    reserve.trim()
    assert sizes(tmp_path) == []


def test_the_smallest_file_that_is_large_enough_is_taken(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path, 10_000)
    for size in (100, 900, 500):
        given_file(reserve, tmp_path, bytes(size))
    taken = []
    for number, expected in enumerate((450, 0, 2000)):
        path = tmp_path / f"{number}.raw"
        assert reserve.take(path, expected)
        taken.append(path.stat().st_size)
    assert taken == [500, 900, 100]


def test_without_room_nothing_is_used_again(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path, 0)
    given_file(reserve, tmp_path, b"frames")
    assert not reserve.take(tmp_path / "video.raw", 0)
    reserve.trim()
    assert sizes(tmp_path) == []


def test_leftovers_of_a_former_process_are_removed(tmp_path: Path) -> None:
    reserve = reserve_of(tmp_path)
    given_file(reserve, tmp_path, b"frames")
    reserve_of(tmp_path)
    assert sizes(tmp_path) == []
    assert not reserve.take(tmp_path / "video.raw", 0), "somebody removed it: a new file then"
    assert Spool(tmp_path / "video.raw", is_new=True).persisted_bytes == 0


def test_a_file_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    reserve_of(tmp_path).give(tmp_path / "nothing.raw")


@given(
    st.lists(st.lists(st.lists(st.binary(max_size=30), max_size=3), max_size=4), min_size=1, max_size=5),
    st.integers(0, 100),
)
def test_any_sequence_of_jobs_finds_its_own_bytes_alone(
    tmp_path_factory: pytest.TempPathFactory, jobs: list[list[list[bytes]]], limit_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("jobs")
    reserve = reserve_of(directory, limit_bytes)
    for number, job in enumerate(jobs):
        path = directory / f"{number}.raw"
        expected = b"".join(chunk for chunks in job for chunk in chunks)
        reserve.take(path, len(expected) * (number % 2))
        for chunks in job:
            spool = Spool(path, is_new=True)
            spool.append(chunks)
            spool.close()
        spool = Spool(path, is_new=True)
        assert spool.persisted_bytes == len(expected)
        spool.complete()
        assert path.read_bytes() == expected
        spool.close()
        reserve.give(path)
        reserve.trim()
        assert sum(sizes(directory)) <= limit_bytes
