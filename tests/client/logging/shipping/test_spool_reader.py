"""Reading a spool finds every record, in order, whatever the reader has seen and left before."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telecine.logging.shipping.spool import Resource, Spool, SpoolLimits
from telecine.logging.shipping.spool_reader import SpoolReader

LINE = b'{"n":%04d}\n'
PER_SEGMENT = 3
LIMITS = SpoolLimits(segment_bytes=PER_SEGMENT * len(LINE % 0))


def spool_in(root: Path, limits: SpoolLimits = LIMITS) -> Spool:
    return Spool(root, Resource("worker"), limits, lambda count, reason: b'{"lost":%d}\n' % count)


def reader_of(spool: Spool, clock: list[float] | None = None) -> SpoolReader:
    now = clock if clock is not None else [0.0]
    reader = SpoolReader.claim(spool.directory, lambda: now[0])
    assert reader is not None
    return reader


def numbers(reader: SpoolReader, max_bytes: int = 1 << 20) -> list[int]:
    """Sequence numbers of all that can be read now."""
    found: list[int] = []
    while (batch := reader.next_batch(max_bytes)) is not None:
        found += range(batch.first_seq, batch.first_seq + batch.count)
    return found


def test_all_segments_are_read_without_any_acknowledgement(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for n in range(10):
        spool.append(LINE % n)
    assert numbers(reader_of(spool)) == list(range(1, 11))


def test_what_was_read_before_is_read_again_after_going_back(tmp_path: Path) -> None:
    """A refusal or a new connection goes back over segments although none has come or gone meanwhile."""
    spool = spool_in(tmp_path)
    for n in range(10):
        spool.append(LINE % n)
    reader = reader_of(spool)
    for last_seq in (0, 2, 3, 4):
        numbers(reader)
        reader.go_on_behind(last_seq)
        assert numbers(reader) == list(range(last_seq + 1, 11))


def test_going_on_before_a_hole_finds_what_lies_behind_it(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, SpoolLimits(max_bytes=60, reserve_bytes=200, segment_bytes=30))
    kept = [n for n in range(1, 13) if spool.append(LINE % n)]
    spool.append(LINE % 99, is_urgent=True)
    reader = reader_of(spool)
    everything = numbers(reader)
    assert everything == [*kept, spool.last_seq - 1, spool.last_seq]
    reader.go_on_behind(kept[-1])
    assert numbers(reader) == everything[-2:], "the loss record and the urgent one"


def test_a_segment_is_found_even_if_the_directorys_time_stands_still(tmp_path: Path) -> None:
    """The kernel's stamp has the coarseness of its tick: two changes in one tick look like one."""
    spool, now = spool_in(tmp_path), [0.0]
    for n in range(PER_SEGMENT):
        spool.append(LINE % n)
    reader = reader_of(spool, now)
    assert numbers(reader) == [1, 2, 3]
    before = spool.directory.stat()
    spool.append(LINE % 4)
    os.utime(spool.directory, ns=(before.st_atime_ns, before.st_mtime_ns))
    numbers(reader)
    now[0] += 1.0
    assert numbers(reader) == [4] or reader.next_seq == 5


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 9)),
            st.tuples(st.just("read"), st.integers(1, 60)),
            st.tuples(st.just("acknowledge"), st.integers(0, 100)),
            st.tuples(st.just("go back"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_reading_acknowledging_and_going_back_in_any_order_ends_with_everything(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    spool = spool_in(tmp_path_factory.mktemp("spool"))
    reader = reader_of(spool)
    seen: list[int] = []
    try:
        for action, amount in steps:
            if action == "append":
                for _ in range(amount):
                    spool.append(LINE % 1)
            elif action == "read":
                batch = reader.next_batch(amount)
                seen += range(batch.first_seq, batch.first_seq + batch.count) if batch else ()
            elif action == "acknowledge" and seen:
                reader.acknowledge(reader.acked_seq + (seen[-1] - reader.acked_seq) * amount // 100)
            elif action == "go back":
                reader.go_on_behind(reader.acked_seq)
                seen = list(range(1, reader.acked_seq + 1))
        assert seen + numbers(reader) == list(range(1, spool.last_seq + 1))
    finally:
        reader.release()
        spool.close()


def _zeroed(path: Path, begin: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:begin] + bytes(len(data) - begin))


def _made_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: os.truncate(path, len(LINE % 0) + 3),
    "empty": lambda path: os.truncate(path, 0),
    "zeros": lambda path: _zeroed(path, 0),
    "zeros behind": lambda path: _zeroed(path, len(LINE % 0)),
    "line feeds": lambda path: path.write_bytes(b"\n" * 5000),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "gone": lambda path: path.unlink(),
    "cannot be read": _made_a_directory,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_costs_its_own_records_and_shifts_no_number(tmp_path: Path, damage: str) -> None:
    spool = spool_in(tmp_path)
    for n in range(1, 10):
        spool.append(LINE % n)
    spool.close()
    DAMAGES[damage](spool.directory / "00000000000000000004.ndjson")
    for acked in range(10):
        reader = reader_of(spool)
        reader.go_on_behind(acked)
        found: dict[int, bytes] = {}
        at = reader.acked_seq
        while (batch := reader.next_batch(1 << 20)) is not None:
            assert batch.first_seq - batch.lost_before == at + 1
            at = batch.first_seq + batch.count - 1
            found |= dict(zip(range(batch.first_seq, at + 1), batch.lines.split(b"\n"), strict=False))
        sound = [n for n in (1, 2, 3, 7, 8, 9) if n > acked]
        assert {n: found.get(n) for n in sound} == {n: (LINE % n).strip() for n in sound}
        assert set(found) <= set(range(acked + 1, 10))
        reader.release()
    reader = reader_of(spool)
    reader.acknowledge(9)
    assert numbers(reader) == []
    assert reader.remove_if_finished()
    left = [path.name for path in tmp_path.rglob("*.ndjson")]
    assert left == (["00000000000000000004.ndjson"] if damage == "cannot be read" else [])


@pytest.mark.parametrize("content", [b"9" * 20 + b"\n", b"%020d\n" % 10, bytes(21), b"", b"\xff" * 21])
def test_a_damaged_acknowledgement_never_removes_what_was_not_shipped(tmp_path: Path, content: bytes) -> None:
    spool = spool_in(tmp_path)
    for n in range(1, 10):
        spool.append(LINE % n)
    spool.close()
    (spool.directory / "acked").write_bytes(content)
    reader = reader_of(spool)
    assert not reader.remove_if_finished()
    assert numbers(reader) == list(range(1, 10))


@pytest.mark.parametrize("content", [b"", bytes(200), b'{"service":"wor', b"[]"])
def test_a_spool_whose_resource_is_damaged_is_shipped_under_the_name_of_its_producer(
    tmp_path: Path, content: bytes
) -> None:
    host = socket.gethostname()
    spool = Spool(tmp_path, Resource("my-worker", host=host), LIMITS, lambda count, reason: b"")
    spool.append(LINE % 1)
    (spool.directory / "resource.json").write_bytes(content)
    assert SpoolReader.claim(spool.directory) is None, "who lives may be writing it"
    spool.close()
    reader = reader_of(spool)
    assert reader.resource.service == "my-worker"
    assert numbers(reader) == [1]
