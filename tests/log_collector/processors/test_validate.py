"""The fast look takes only what the slow one would leave as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from telecine.logging.catalogue import FIELDS, LEADING_FIELDS, Level
from telecine.logging.redaction.rule_pack import DEFAULT_PACK

from log_collector.ingest.opening import BatchOpener, OpeningLimits, ReceivedBatch
from log_collector.journal import Encoding
from log_collector.processors.normalise import normalise
from log_collector.processors.redact import redaction_for
from log_collector.processors.validate import find_lines, is_canonical
from tests.log_collector.harness import lines_of, record

REDACTION = redaction_for(DEFAULT_PACK, None)


def looks_canonical(lines: bytes, service: str = "worker") -> bool:
    suspect = REDACTION.redact(lines).has_suspect_types
    return is_canonical(lines, find_lines(lines), service, has_suspect_types=suspect)


def test_what_the_sdk_writes_is_taken_as_it_came() -> None:
    lines = lines_of([record(i, level=level.name) for i, level in enumerate(Level)])
    assert looks_canonical(lines)


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp": "2026-11-21T03:51:14Z"},
        {"timestamp": "2026-19-21T03:51:14.000001Z"},
        {"timestamp": "2026-11-21T03:51:64.000001Z"},
        {"level": "info"},
        {"level": "IMPORTANT"},
        {"service": "other"},
        {"msg": 5},
        {"attempt": "1"},
        {"attempt": 1.5},
        {"duration_ms": "1"},
        {"job_id": ["a"]},
        {"error": {"a": 1}},
        {"stage": 5},
    ],
)
def test_what_needs_fixing_is_not(changed: dict[str, object]) -> None:
    assert not looks_canonical(lines_of([record(1), record(2, **changed), record(3)]))


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"null", b"{", lines_of([record(1)])[:-2], lines_of([record(1)])[:-1] + b"{}",
     lines_of([record(1)])[:-1].replace(b"polled", b"\xff")],
)  # fmt: skip
def test_what_is_no_record_is_not(line: bytes) -> None:
    assert not looks_canonical(lines_of([record(1), line, record(3)]))


names = st.sampled_from([f.name for f in FIELDS if f.name not in LEADING_FIELDS])
scalars = (
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
fields = st.dictionaries(names | st.text(max_size=6), scalars | st.lists(scalars, max_size=2), max_size=4)


@given(st.lists(fields, min_size=1, max_size=4))
@settings(deadline=None)
@example([{"attempt": 5e20}])
@example([{"job_id": -1.0}])
def test_the_fast_look_never_takes_what_the_slow_one_would_change(records: list[dict[str, Any]]) -> None:
    lines = msgspec.json.Encoder().encode_lines(
        [record(1) | {k: v for k, v in r.items() if k not in LEADING_FIELDS} for r in records]
    )
    if not looks_canonical(lines):
        return
    for line in lines.splitlines():
        assert not normalise(json.loads(line), "other", 0)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_opened_to_sound_lines_or_rejections(data: bytes) -> None:
    opener = BatchOpener(REDACTION, OpeningLimits(), needs_keys=True)
    lines = data + b"\n"
    count = lines.count(b"\n")
    opened = opener.open(ReceivedBatch("p", 1, count, "worker", lines, Encoding.IDENTITY, 1))
    assert opened.record_count + sum(r.count for r in opened.rejections) == count
    assert len(opened.keys or []) == opened.record_count
    for line in opened.lines.splitlines():
        assert isinstance(json.loads(line), dict)
