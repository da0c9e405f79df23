"""A directory of whatever lines is queried, followed, counted and asked in SQL: no line hides another."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from telecine.cli.app import run
from telecine.cli.logs.following import FileTail
from telecine.cli.logs.forms.any_lines import as_record, is_sound, record_pieces
from telecine.logs.v1 import logs_pb2

from log_collector.query.selector import Selector


def line(second: int, msg: str, level: str = "ERROR") -> str:
    fields = {"timestamp": f"2026-11-01T10:00:{second:02d}Z", "level": level, "service": "s", "msg": msg}
    return json.dumps(fields, ensure_ascii=False) + "\n"


TWO = line(1, "one") + line(2, "twö")
FILES = {
    "text line": (f"plain text\n{TWO}".encode(), ["plain text", "one", "twö"], 2),
    "text between": (line(1, "one").encode() + b"ERROR {x}\n\n" + line(2, "twö").encode(), None, 3),
    "broken JSON": (f'{TWO}{{"msg": "cut\n{{also broken}}\n'.encode(), None, 2),
    "other JSON": (f'{TWO}[1, 2]\n"text"\n5\n'.encode(), None, 2),
    "mark": (b"\xef\xbb\xbf" + TWO.encode(), ["one", "twö"], 2),
    "marks within": (b"".join(b"\xef\xbb\xbf" + x.encode() for x in (line(1, "one"), TWO)), None, 3),
    "NULs first": (bytes(600_000) + TWO.encode(), ["one", "twö"], 2),
    "NULs last": (TWO.encode() + bytes(5000), ["one", "twö"], 2),
    "NULs alone": (TWO.encode() + bytes(50) + b"\n", ["one", "twö"], 2),
    "carriage returns": (TWO.replace("\n", "\r\n").encode(), ["one", "twö"], 2),
    "Latin-1": (TWO.encode("latin-1"), ["one", "twö"], 2),
    "not a number": ((TWO + '{"msg": "odd", "x": NaN, "y": 1e999}\n').encode(), None, 2),
} | {
    name: (mark + TWO.encode(name[:9]), ["one", "twö"], 2)
    for name, mark in (
        ("utf-16", b""),
        ("utf-32", b""),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-16-be, marked", b"\xfe\xff"),
    )
}
PACKED = ("text between", "NULs first", "utf-16")


@pytest.mark.parametrize(
    ("name", "is_packed"), [*((name, False) for name in FILES), *((name, True) for name in PACKED)]
)
def test_no_line_of_a_directory_hides_another(
    tmp_path: Path, name: str, is_packed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    data, messages, errors = FILES[name]
    path = tmp_path / ("app.log.1.gz" if is_packed else "app.log")
    path.write_bytes(gzip.compress(data) if is_packed else data)
    directory = ["--dir", str(tmp_path)]

    def printed(*words: str) -> str:
        assert run(["logs", *words, *directory]) == 0
        return capfd.readouterr().out

    records = [json.loads(one) for one in printed("query", "--json", "--oldest-first").splitlines()]
    assert all(isinstance(record, dict) for record in records)
    found = [record["msg"] for record in records]
    assert {"one", "twö"} <= set(found)
    assert messages is None or sorted(found) == sorted(messages)
    assert len(printed("query").splitlines()) == len(records)
    assert len(printed("query", "--level", "error", "--json").splitlines()) == errors
    assert json.loads(printed("report", "--json"))["records"] == len(records)
    counted = printed("query", "--json", "--sql", "SELECT count(*) AS n FROM records")
    assert json.loads(counted) == {"n": len(records)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_tail_goes_on_over_lines_of_any_kind(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(line(1, "before").encode(encoding))
    tail = FileTail(tmp_path, Selector(logs_pb2.RecordFilter(), has_times=False), list)
    records = iter(tail)
    later = "utf-16-le" if encoding == "utf-16" else encoding.removesuffix("-sig")
    with path.open("ab") as file:
        file.write(f"no JSON ü\n{line(2, 'after')}".encode(later))
    assert [json.loads(next(records)[1])["msg"] for _ in range(2)] == ["no JSON ü", "after"]
    tail.close()


def test_a_text_line_has_the_time_and_level_that_it_states_else_the_time_before() -> None:
    before = line(7, "x").encode()
    stated = json.loads(as_record(b"2026-11-02 10:00:00+01:00 - a - WARN - disk", before))
    assert stated == {
        "timestamp": "2026-11-02T09:00:00.000000Z", "level": "WARNING", "logger": "a", "msg": "disk",
    }  # fmt: skip
    other = json.loads(as_record(b"CRITICAL all is lost", before))
    huge = json.loads(as_record(b"[2026-11-02 10:00:00 +0000] [%b] [INFO] m" % (b"9" * 100)))
    assert (huge["msg"], huge["pid"]) == ("m", "9" * 100)
    assert (other["timestamp"], other["level"]) == ("2026-11-01T10:00:07Z", "CRITICAL")


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 100_000])
@pytest.mark.parametrize("name", FILES)
def test_pieces_of_any_size_come_to_the_same_records(name: str, piece_bytes: int) -> None:
    data = FILES[name][0].replace(bytes(600_000), bytes(600))
    pieces = iter([data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)])
    found = b"".join(record_pieces(pieces))
    assert found == b"".join(record_pieces(iter([data])))
    assert name == "not a number" or is_sound(found)
