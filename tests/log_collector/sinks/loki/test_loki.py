"""The Loki sink: few labels, all else beside the line, and only what Loki will never take is given up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from log_collector.sinks.sink import SinkError
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, record, ship
from tests.log_collector.sinks.driving import collector_config, dead_letters, deliver, opened, stored
from tests.log_collector.sinks.listener import Listener, Reply
from tests.log_collector.sinks.services import FakeLoki


def test_labels_are_few_and_the_rest_is_metadata(tmp_path: Path) -> None:
    records = [
        record(1, env="prod", job_id="j", nested={"a": [1]}, **{"1st.name": True, "gone": None}),
        record(2, level="ERROR"),
        record(3, env="prod"),
    ]
    with Listener(FakeLoki()) as listener:
        settings: dict[str, Any] = {"tenant": "team", "labels": {"cluster": "eu-1"}}
        with opened(tmp_path, "loki", url=f"{listener.url}/", **settings) as sink:
            assert deliver(sink, stored(records)).delivered == 3
        (heard,) = listener.heard
    assert heard.path == "/loki/api/v1/push"
    assert heard.headers["x-scope-orgid"] == "team"
    info = {"cluster": "eu-1", "env": "prod", "level": "info", "service": "worker"}
    assert json.loads(heard.body) == {
        "streams": [
            {
                "stream": info,
                "values": [
                    [
                        "1795233074000001000",
                        "polled",
                        {"n": "1", "job_id": "j", "nested_a": "[1]", "_1st_name": "true"},
                    ],
                    ["1795233074000003002", "polled", {"n": "3"}],
                ],
            },
            {
                "stream": {"cluster": "eu-1", "level": "error", "service": "worker"},
                "values": [["1795233074000002001", "polled", {"n": "2"}]],
            },
        ]
    }


def test_equal_lines_of_one_instant_stay_two(tmp_path: Path) -> None:
    """grafana/loki#1519: an entry with the time and line of another is taken for that one."""
    service = FakeLoki()
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        deliver(sink, stored([record(1, step=i) for i in range(900)]))
    assert len(service.lines()) == 900


def test_the_number_of_streams_is_bounded(tmp_path: Path) -> None:
    service = FakeLoki()
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url, label_values=3) as sink:
        deliver(sink, stored([record(i, service=f"s{i}") for i in range(50)]))
    services = {dict(stream)["service"] for stream in service.entries}
    assert services == {"s0", "s1", "s2", "_other"}
    other = next(kept for stream, kept in service.entries.items() if dict(stream)["service"] == "_other")
    assert sorted(metadata["service"] for metadata in other.values()) == sorted(f"s{i}" for i in range(3, 50))


def test_a_record_with_more_than_loki_takes_beside_a_line_is_a_line_of_json(tmp_path: Path) -> None:
    service = FakeLoki()
    records = [record(1, pad="x" * 2000), record(2, **{f"f{i}": i for i in range(30)}), record(3)]
    limits = {"metadata_bytes": 1000, "metadata_fields": 20}
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url, **limits) as sink:
        deliver(sink, stored(records))
    lines = service.lines()
    assert [json.loads(line)["n"] for line in lines[:2]] == [1, 2]
    assert lines[2] == "polled"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("entry too far behind, entry timestamp is: …", "too_far_behind"),
        ("entry out of order", "out_of_order"),
        ("entry for stream '{}' has timestamp too old: 1", "too_old"),
        ("entry for stream '{}' has timestamp too new: 1", "too_new"),
        ("max entry size 256KB exceeded", "line_too_long"),
        ("something else", "rejected"),
    ],
)
def test_what_loki_will_never_take_is_dropped_and_costs_no_other(
    tmp_path: Path, words: str, reason: str
) -> None:
    service = FakeLoki()
    service.refuses = lambda _, line: words if line == "bad" else ""
    records = [record(i, msg="bad" if i in (3, 40) else f"line {i}") for i in range(64)]
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        written = deliver(sink, stored(records))
        assert len(listener.heard) < 30
    assert (written.delivered, written.dropped) == (62, {reason: 2})
    assert sorted(service.lines()) == sorted(f"line {i}" for i in range(64) if i not in (3, 40))
    assert [letter["record"]["n"] for letter in dead_letters(tmp_path)] == [3, 40]


def test_a_stream_of_which_all_is_too_old_costs_one_request(tmp_path: Path) -> None:
    """What waited out a long outage; halving it would ask Loki about each line."""
    service = FakeLoki()
    service.refuses = lambda *_: "entry too far behind"
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        assert deliver(sink, stored([record(i) for i in range(64)])).dropped == {"too_far_behind": 64}
        assert len(listener.heard) == 1


def test_what_is_older_than_loki_says_costs_one_more_request_for_each_stream(tmp_path: Path) -> None:
    limit = "2026-11-21T03:51:15Z"
    limit_nano = "1795233075"
    service = FakeLoki()
    service.is_counting_ignored = False
    said = f"entry for stream '{{}}' has timestamp too old: 1, oldest acceptable timestamp is: {limit}"
    service.refuses = lambda nano, _: said if nano[:10] < limit_nano else ""
    times = ["2026-11-21T03:51:14.5Z", "2026-11-21T03:51:15.5Z"]
    records = [
        {"timestamp": times[i % 3 == 0], "level": level, "service": "worker", "msg": f"{level} {i}"}
        for level in ("INFO", "ERROR")
        for i in range(60)
    ]
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        written = deliver(sink, stored(records))
        assert len(listener.heard) == 5
    assert (written.delivered, written.dropped) == (40, {"too_old": 80})
    assert len(service.lines()) == 40


def test_a_loki_that_allows_no_metadata_is_asked_again_until_somebody_fixes_it(tmp_path: Path) -> None:
    service = FakeLoki()
    words = b"stream '{}' includes structured metadata, but this feature is disallowed. Please see ..."
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        listener.script = [Reply(400, words)]
        with pytest.raises(SinkError, match="allow_structured_metadata in Loki, or metadata_bytes = 0 here"):
            deliver(sink, stored([record(1), record(2)]))
        assert deliver(sink, stored([record(1), record(2)])).delivered == 2


def test_halves_that_loki_had_already_are_not_doubled(tmp_path: Path) -> None:
    service = FakeLoki()
    service.is_counting_ignored = False
    service.refuses = lambda _, line: "max entry size exceeded" if line == "bad" else ""
    with Listener(service) as listener, opened(tmp_path, "loki", url=listener.url) as sink:
        deliver(sink, stored([record(i, msg="bad" if i == 9 else "good") for i in range(10)]))
    assert service.pushed > 9
    assert len(service.lines()) == 9


async def test_records_of_a_collector_arrive_in_order_and_the_books_balance(tmp_path: Path) -> None:
    service = FakeLoki()
    with Listener(service) as listener:
        config = collector_config(tmp_path / "c.json", "loki", url=listener.url, request_records=7)
        async with collector(tmp_path / "data", config) as running:
            listener.script = [
                Reply(429, headers={"Retry-After": "0"}),
                Reply(500, b"rpc error"),
                Reply(200, b"x", is_cut=True),
            ]
            for first in range(1, 101, 20):
                await ship(
                    running.address, batch(first, [record(first + i, msg=f"{first + i}") for i in range(20)])
                )
            runner = running.service._fanout.runners["loki.t"]
            await eventually_async(lambda: runner.accepted == 100 and not runner.buffered)
            assert runner.accepted == 100 == runner.books.delivered
            assert runner.books.failures == 3
    assert service.lines() == [str(n) for n in range(1, 101)]


def test_an_answer_of_a_gateway_is_no_verdict_on_a_record(tmp_path: Path) -> None:
    with (
        Listener(lambda _: Reply(502, b"entry out of order")) as listener,
        opened(tmp_path, "loki", url=listener.url) as sink,
        pytest.raises(SinkError, match="502"),
    ):
        deliver(sink, stored([record(1)]))
    assert not dead_letters(tmp_path)
