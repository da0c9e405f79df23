"""Files of equal sizes, rotated by others, or cut off: each record is found once, and faults are named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from telecine.cli.logs.following import FileTail
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from log_collector.files.config import FileClass, FilesConfig
from log_collector.query.library import Library
from log_collector.query.selector import Selector


def line(day: int, number: int) -> str:
    stamp = f"2026-11-{day:02d}T10:00:00.{number:06d}Z"
    fields = {"timestamp": stamp, "level": "INFO", "service": "app", "msg": f"{day:02d}-{number:04d}"}
    return json.dumps(fields, separators=(",", ":")) + "\n"


def day_of(day: int, count: int = 100) -> bytes:
    return "".join(line(day, number) for number in range(count)).encode()


def library(root: Path) -> Library:
    return Library(root, FilesConfig(jobs=FileClass(is_on=False), errors=FileClass(is_on=False)))


def asked(known: Library, page_size: int = 70, **filters: object) -> tuple[list[str], list[str]]:
    found: list[str] = []
    damaged: list[str] = []
    token = ""
    while True:
        wanted = logs_pb2.RecordFilter(**filters)  # type: ignore[arg-type]
        answer = known.query(pb.QueryRequest(filter=wanted, page_size=page_size, page_token=token))
        found += [json.loads(record)["msg"] for record in answer.records]
        damaged += answer.damaged_files
        token = answer.next_page_token
        if not token:
            return found, damaged


NAMES = [
    ("app.log", "app.log.1", "app.log.2", "app.log.3"),
    ("app.log", "app.log-20261103.gz", "app.log-20261102.gz", "app.log-20261101"),
    ("app.log", "app.log.000003-20261103T100000Z.zst", "app.log.000002-20261102T100000Z", "app.log.1.gz"),
]


def packed(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(data)
    return zstandard.ZstdCompressor().compress(data) if name.endswith(".zst") else data


@pytest.mark.parametrize("names", NAMES)
def test_files_of_equal_sizes_are_all_searched(tmp_path: Path, names: tuple[str, ...]) -> None:
    for day, name in zip((4, 3, 2, 1), names, strict=True):
        (tmp_path / name).write_bytes(packed(name, day_of(day)))
    known = library(tmp_path)
    every = sorted((f"{day:02d}-{number:04d}" for day in range(1, 5) for number in range(100)), reverse=True)
    for _ in range(2):
        assert asked(known) == (every, [])
        for day in range(1, 5):
            wanted = logs_pb2.RecordFilter()
            wanted.since.FromJsonString(f"2026-11-{day:02d}T00:00:00Z")
            wanted.until.FromJsonString(f"2026-11-{day + 1:02d}T00:00:00Z")
            found, _damaged = asked(known, since=wanted.since, until=wanted.until)
            assert found == [msg for msg in every if msg.startswith(f"{day:02d}-")]


def test_a_file_that_is_renamed_under_a_running_reader_is_known_by_what_it_holds(tmp_path: Path) -> None:
    known = library(tmp_path)
    (tmp_path / "app.log").write_bytes(day_of(1))
    assert len(asked(known)[0]) == 100
    for day in (2, 3):
        for number in (2, 1):
            if (tmp_path / f"app.log.{number}").exists():
                (tmp_path / f"app.log.{number}").rename(tmp_path / f"app.log.{number + 1}")
        (tmp_path / "app.log").rename(tmp_path / "app.log.1")
        (tmp_path / "app.log").write_bytes(day_of(day))
        wanted = logs_pb2.RecordFilter()
        wanted.since.FromJsonString(f"2026-11-{day:02d}T00:00:00Z")
        assert len(asked(known, since=wanted.since)[0]) == 100


def test_records_of_one_time_in_several_files_are_each_shown_once(tmp_path: Path) -> None:
    for number, name in enumerate(("app.log", "app.log.1", "app.log.2")):
        same = [line(1, 0).replace("01-0000", f"{number}-{row:03d}") for row in range(50)]
        (tmp_path / name).write_text("".join(same))
    found, _ = asked(library(tmp_path), page_size=7)
    assert len(found) == len(set(found)) == 150


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
@pytest.mark.parametrize(
    "name", ["app.log.000001-20261101T100000Z.zst", "app.log.1.gz", "app.log.000001-20261101T100000Z.gz"]
)
def test_a_packed_file_that_was_cut_off_is_named_and_the_rest_is_read(
    tmp_path: Path, name: str, kept: float
) -> None:
    data = day_of(1, 5000)
    whole = packed(name, data)
    (tmp_path / name).write_bytes(whole[: max(3, int(len(whole) * kept))])
    (tmp_path / "app.log").write_bytes(day_of(2))
    found, damaged = asked(library(tmp_path), page_size=10_000)
    assert found[:100] == [f"02-{number:04d}" for number in reversed(range(100))]
    assert len(damaged) == 1
    assert name in damaged[0]


def test_bytes_that_were_changed_are_named_and_several_frames_are_none(tmp_path: Path) -> None:
    two = packed("x.zst", day_of(1, 50)) + packed("x.zst", day_of(2, 50))
    (tmp_path / "app.log.000001-20261101T100000Z.zst").write_bytes(two)
    assert (len(asked(library(tmp_path))[0]), asked(library(tmp_path))[1]) == (100, [])
    broken = bytearray(two)
    broken[len(broken) // 2 + 20] ^= 0xFF
    (tmp_path / "app.log.000001-20261101T100000Z.zst").write_bytes(bytes(broken))
    found, damaged = asked(library(tmp_path), page_size=10_000)
    assert len(found) <= 100
    assert damaged


Rotate = Callable[[Path], None]


def by_number(root: Path) -> None:
    for number in range(8, 0, -1):
        if (root / f"app.log.{number}").exists():
            (root / f"app.log.{number}").rename(root / f"app.log.{number + 1}")
    (root / "app.log").rename(root / "app.log.1")


def by_packing(root: Path) -> None:
    number = 1 + sum(1 for _ in root.glob("app.log.0*"))
    name = f"app.log.{number:06d}-20261101T100000Z.zst"
    (root / name).write_bytes(packed(name, (root / "app.log").read_bytes()))
    (root / "app.log").unlink()


def by_truncating(root: Path) -> None:
    by_number_copy = (root / "app.log").read_bytes()
    for number in range(8, 0, -1):
        if (root / f"app.log.{number}").exists():
            (root / f"app.log.{number}").rename(root / f"app.log.{number + 1}")
    (root / "app.log.1").write_bytes(by_number_copy)
    (root / "app.log").write_bytes(b"")


@pytest.mark.parametrize("rotate", [by_number, by_packing, by_truncating])
def test_a_tail_misses_nothing_and_doubles_nothing_over_rotations(tmp_path: Path, rotate: Rotate) -> None:
    (tmp_path / "app.log").write_bytes(day_of(1, 5))
    tail = FileTail(tmp_path, Selector(logs_pb2.RecordFilter(), has_times=False), list)
    records = iter(tail)
    seen: list[str] = []
    expected: list[str] = []
    days = iter(range(2, 30))
    for turn in range(1, 6):
        for _ in range(turn % 3):
            rotate(tmp_path)
            day = next(days)
            (tmp_path / "app.log").write_bytes(day_of(day, 10))
            expected += [f"{day:02d}-{number:04d}" for number in range(10)]
        day = next(days)
        with (tmp_path / "app.log").open("ab") as file:
            file.write(line(day, 1).encode())
        expected.append(f"{day:02d}-0001")
        seen += [json.loads(next(records)[1])["msg"] for _ in range(len(expected) - len(seen))]
    tail.close()
    assert sorted(seen) == sorted(expected)
