"""A stored line with an odd value is read all the same, and counts."""

from __future__ import annotations

import json

import msgspec
import pytest
from telecine.cli.logs.report import make_report
from telecine.logging.record.reading import LineReader


class Some(msgspec.Struct):
    name: str = ""
    count: int = 0
    ratio: float | None = None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"name":"a","count":1,"ratio":0.5}', Some("a", 1, 0.5)),
        ('{"name":5,"count":1,"ratio":"NaN"}', Some("", 1)),
        ('{"name":"a","count":"many","ratio":{}}', Some("a")),
        ('{"name":null,"count":1e400,"other":[]}', Some()),
        ("[1]", None),
        ("{cut", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_a_value_of_another_type_is_as_if_it_were_absent(line: str, expected: Some | None) -> None:
    assert LineReader(Some).read(line.encode()) == expected


def test_a_report_counts_records_with_odd_values() -> None:
    head = {"timestamp": "2026-11-28T10:00:00.000000Z", "level": "ERROR", "service": "app", "msg": "m"}
    odd = [{"duration_ms": "NaN"}, {"error": {"a": 1}}, {"logger": 5}, {"sample_rate": "x"}, {"timestamp": 7}]
    usual = [{"duration_ms": 2.0, "stage": "s"}] * 2
    report = make_report(json.dumps(head | own).encode() for own in (*odd, *usual))
    assert report.records == 7
    assert [(o.name, o.count, o.mean_ms) for o in report.operations] == [("s", 2, 2.0)]
