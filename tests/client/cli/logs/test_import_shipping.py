"""Old files are stored once by their content: under any name, packed, grown, refilled, interrupted."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from telecine import LogClient, LogFilter
from telecine.cli.app import run
from telecine.cli.logs.forms.encodings import utf8_lines
from telecine.cli.logs.import_shipping import content_marks
from telecine.cli.logs.importing import read_marked_records, read_records

from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector") / "data", {}).start()
    yield running
    running.stop()


def day(name: str, count: int, begins_at: int = 0) -> str:
    return "".join(f"2026-11-01 10:00:00,{n:03d} - a - INFO - {name} {n}\n" for n in range(begins_at, count))


def test_a_file_is_known_by_its_content_not_by_its_name_or_place(
    collector: CollectorProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log, other = tmp_path / "w.log", tmp_path / "other.log"

    def taken(path: Path = log) -> int:
        code = run(["logs", "import", str(path), "--service", "w", "--server", collector.address])
        out, err = capfd.readouterr()
        assert code == 0, out + err
        return int(out.split(": ")[1].split()[0])

    log.write_text("started\n" + day("mon", 5))
    assert (taken(), taken()) == (6, 0)
    # Refilled in its place, with the same first line, shorter, longer, and back.
    log.write_text("started\n" + day("tue", 8))
    assert (taken(), taken()) == (9, 0)
    log.write_text(day("wed", 2))
    assert (taken(), taken()) == (2, 0)
    log.write_text("started\n" + day("mon", 5))
    assert taken() == 0
    # Grown, one record at a time and by many.
    for grown in (6, 7, 1500, 1501):
        log.write_text("started\n" + day("mon", grown))
        assert taken() > 0
        assert taken() == 0
    # Copied, packed, with other line ends and empty lines, in another encoding.
    shutil.copy(log, other)
    assert taken(other) == 0
    packed = tmp_path / "w.log.1.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert taken(packed) == 0
    other.write_bytes(log.read_text().replace("\n", "\r\n\r\n").encode("utf-16"))
    assert taken(other) == 0
    # copytruncate: the copy was stored, what the emptied file got since was not.
    log.write_text(day("thu", 30))
    assert (taken(), taken(other)) == (30, 0)
    with LogClient(collector.address) as client:
        expected = 1 + 1501 + 9 + 2 + 30
        eventually(lambda: client.stats()["sinks"][0]["delivered"] == expected)
        texts = [json.loads(one)["msg"] for one in client.query(LogFilter(services=["w"]), limit=None)]
    assert len(texts) == expected
    assert len(set(texts)) == expected - 1  # "started" alone is in two files


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ("a\nb\nc\n", "a\nb\nc\nd\n", 3),
        ("a\nb\nc", "a\r\n\r\nb\nc\nd\n", 3),
        ("a\nb\n", "a\nb\n  goes on\nc\n", 1),
        ("a\na\na\n", "a\na\na\na\n", 3),
        ("a\nb\n", "x\nb\n", 0),
        ("a\nb\n", "a\n", 1),
    ],
)
def test_records_are_known_up_to_where_the_content_differs(before: str, after: str, known: int) -> None:
    def digests(text: str) -> list[bytes]:
        lines = iter(text.encode().splitlines(keepends=True))
        found = read_marked_records(lines, "s", lambda: datetime(2026, 1, 1, tzinfo=UTC))
        return [digest for _, digest in found]

    one, two = digests(before), digests(after)
    assert [a == b for a, b in zip(one, two, strict=False)] == [
        n < known for n in range(min(len(one), len(two)))
    ]


def test_the_runs_of_a_file_cover_each_record_once() -> None:
    for count in (1, 2, 3, 7, 64, 1000, 1023):
        marks = content_marks((b"", bytes(10) + n.to_bytes(2, "big")) for n in range(count))
        place, producers = 0, []
        while place < count:
            size = next(marks.runs(place))
            producers.append(marks.producer(place, size))
            place += size
        assert place == count
        assert len(set(producers)) == len(producers) <= 20


def imported(tmp_path: Path, data: bytes) -> list[dict[str, object]]:
    path = tmp_path / "x.log"
    path.write_bytes(data)
    with path.open("rb") as source:
        found = read_records(utf8_lines(source), "s", lambda: datetime(2026, 1, 1, tzinfo=UTC), UTC)
        return [json.loads(record) for record in found]


JSON_LINES = (
    '{"timestamp":"2026-11-01T10:00:00Z","level":"ERROR","msg":"ä","job_id":"j"}\n'
    '{"timestamp":"2026-11-01T10:00:01Z","level":"ERROR","msg":"ö","job_id":"j"}\n'
)
TEXT_LINES = "2026-11-01 10:00:00 - j - ERROR - ä\n2026-11-01 10:00:01 - j - ERROR - ö\n"


@pytest.mark.parametrize("text", [JSON_LINES, TEXT_LINES], ids=["json", "text"])
@pytest.mark.parametrize(
    ("encoding", "before"),
    [
        *(
            (name, b"")
            for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1")
        ),
        ("utf-8", bytes(600_001)),
        ("utf-8-sig", bytes(5)),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} NULs",
)
def test_files_of_all_encodings_are_read(tmp_path: Path, text: str, encoding: str, before: bytes) -> None:
    found = imported(tmp_path, before + text.encode(encoding))
    expected = ["\\xe4", "\\xf6"] if encoding == "latin-1" and text is TEXT_LINES else ["ä", "ö"]
    assert [(r["level"], r["msg"], str(r["timestamp"])[:18]) for r in found] == [
        ("ERROR", msg, "2026-11-01T10:00:0") for msg in expected
    ]
    assert text is TEXT_LINES or all(r["job_id"] == "j" for r in found)


def docker(log: str, stream: str = "stdout") -> str:
    return (
        json.dumps({"log": log, "stream": stream, "time": "2026-11-01T10:00:00.1Z"}, separators=(",", ":"))
        + "\n"
    )


LONG = json.dumps({"level": "ERROR", "msg": "x" * 20_000, "job_id": "j"})
CRI = "2026-11-01T10:00:00.{}Z {} {} {}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            CRI.format(1, "stdout", "P", "half A ") + CRI.format(2, "stderr", "F", "ERROR disk full")
            + CRI.format(3, "stdout", "F", "half B"),
            [("ERROR", "ERROR disk full"), ("INFO", "half A half B")],
        ),
        (
            CRI.format(1, "stdout", "P", "a") + CRI.format(2, "stderr", "P", "b")
            + CRI.format(3, "stdout", "P", "c") + CRI.format(4, "stderr", "F", "d"),
            [("INFO", "bd"), ("INFO", "ac")],
        ),
        (docker(LONG[:16384]) + docker(LONG[16384:] + "\n"), [("ERROR", "x" * 20_000)]),
        (
            docker(LONG[:16384]) + docker("WARNING low\n", "stderr") + docker(LONG[16384:] + "\n"),
            [("WARNING", "WARNING low"), ("ERROR", "x" * 20_000)],
        ),
        (docker("y" * 16384), [("INFO", "y" * 16384)]),
        (docker("no end") + docker("next\n"), [("INFO", "no end"), ("INFO", "next")]),
        ('{"inner": 5, "part": "P", "msg": "own"}\n', [(None, "own")]),
    ],
)  # fmt: skip
def test_lines_that_containers_cut_are_joined_by_stream(
    tmp_path: Path, text: str, expected: list[tuple[str, str]]
) -> None:
    found = imported(tmp_path, text.encode())
    assert [(record.get("level"), record["msg"]) for record in found] == expected
