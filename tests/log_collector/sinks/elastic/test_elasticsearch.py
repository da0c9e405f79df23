"""The Elasticsearch and Logstash sinks: ECS documents, each there once, and none that stops the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk
from hypothesis import given
from hypothesis import strategies as st

from log_collector.sinks.elastic.ecs import ecs_document
from log_collector.sinks.sink import SinkError
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, record, ship
from tests.log_collector.sinks.driving import collector_config, dead_letters, deliver, opened, stored
from tests.log_collector.sinks.listener import Listener, Reply
from tests.log_collector.sinks.services import FakeElasticsearch


def number(document: dict[str, Any]) -> int:
    """Field n of the record."""
    return int(document["numeric_labels"]["n"])


def test_a_record_becomes_a_document_with_ecs_names() -> None:
    fields = record(
        7, level="ERROR", env="prod", logger="worker.encode", job_id=42, error="no space",
        error_type="OSError", stack="Traceback …", duration_ms=12.5, trace_id="a" * 32, pid=9, line=3,
        uid=1000, attempt=2,
        is_last=True, nested={"a": {"b": "c"}, "n": 1}, items=[1, "x"], none=None, **{"dotted.name": "d"},
    )  # fmt: skip
    assert ecs_document(fields, "id-1") == {
        "@timestamp": "2026-11-21T03:51:14.000007Z",
        "ecs": {"version": "8.11.0"},
        "message": "polled",
        "log": {"level": "error", "logger": "worker.encode", "origin": {"file": {"line": 3}}},
        "service": {"name": "worker", "environment": "prod"},
        "error": {"message": "no space", "type": "OSError", "stack_trace": "Traceback …"},
        "event": {"id": "id-1", "duration": 12_500_000},
        "trace": {"id": "a" * 32},
        "process": {"pid": 9},
        "labels": {
            "job_id": "42", "attempt": "2", "duration_ms": "12.5", "is_last": "true",
            "nested_a_b": "c", "items": '[1,"x"]', "dotted_name": "d",
        },
        "numeric_labels": {"n": 7, "nested_n": 1, "uid": 1000},
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["labels", "event", "msg", "error"]), JSON))
def test_no_value_changes_the_type_of_a_field(fields: dict[str, Any]) -> None:
    """A field whose type changes is a document that the index refuses."""
    document = ecs_document(fields, "id")
    assert all(isinstance(value, str) for value in document.get("labels", {}).values())
    numbers = document.get("numeric_labels", {}).values()
    assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers)
    assert not [
        name for part in ("labels", "numeric_labels") for name in document.get(part, {}) if "." in name
    ]
    assert document["event"]["id"] == "id"


def test_it_sends_what_the_official_client_sends(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    with Listener(service) as listener:
        with opened(tmp_path, "elasticsearch", url=listener.url, api_key="abc", pipeline="p 1") as sink:
            assert deliver(sink, stored([record(1), record(2)])).delivered == 2
        actions = [{"_op_type": "create", "_id": i, "_source": d} for i, d in service.documents.items()]
        with Elasticsearch(listener.url, api_key="abc") as client:
            count, _ = bulk(
                client, actions, index="logs-telecine-default", pipeline="p 1", raise_on_error=False
            )
        ours, theirs = listener.heard
    assert count == 0, "the ids were there"
    assert service.conflicts == 2
    assert [json.loads(x) for x in ours.body.splitlines()] == [
        json.loads(x) for x in theirs.body.splitlines()
    ]
    assert ours.path.partition("?")[0] == theirs.path.partition("?")[0]
    assert "pipeline=p%201" in ours.path
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert ours.headers["content-encoding"] == "gzip"


def test_documents_are_those_of_a_data_stream(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    with Listener(service) as listener:
        chosen = {"dataset": "video", "namespace": "staging"}
        with opened(tmp_path, "elasticsearch", url=f"{listener.url}/base/", **chosen) as sink:
            deliver(sink, stored([record(1)]))
        assert listener.heard[0].path.startswith("/base/logs-video-staging/_bulk?filter_path=")
    (document,) = service.documents.values()
    assert document["data_stream"] == {"type": "logs", "dataset": "video", "namespace": "staging"}
    assert document["event"]["dataset"] == "video"


def test_of_a_partial_failure_only_what_failed_is_sent_again(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    overloaded = {3, 5}
    service.judge = lambda d: (429, "es_rejected_execution_exception") if number(d) in overloaded else None
    with Listener(service) as listener, opened(tmp_path, "elasticsearch", url=listener.url) as sink:
        with pytest.raises(SinkError, match="2 of 8 documents: 429 Too Many Requests"):
            deliver(sink, stored([record(i) for i in range(8)]))
        overloaded.clear()
        assert deliver(sink, stored([record(i) for i in range(8)])).delivered == 8
        assert [len(heard.body.splitlines()) // 2 for heard in listener.heard] == [8, 2]
    assert sorted(number(d) for d in service.documents.values()) == list(range(8))
    assert service.conflicts == 0


def test_a_document_that_the_mapping_refuses_is_kept_aside_and_counted(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    service.judge = lambda d: (400, "document_parsing_exception") if number(d) == 2 else None
    with Listener(service) as listener, opened(tmp_path, "elasticsearch", url=listener.url) as sink:
        written = deliver(sink, stored([record(i) for i in range(5)]))
    assert (written.delivered, written.dropped) == (4, {"document_parsing_exception": 1})
    (letter,) = dead_letters(tmp_path)
    assert letter["record"]["n"] == 2
    assert letter["detail"] == "failed to parse field [x]"
    assert letter["record_id"] not in service.documents


def test_the_reasons_of_refusals_cannot_flood_the_metrics(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    service.judge = lambda d: (
        400,
        f"reason_{number(d)}" if number(d) % 2 else "No Name!",
    )
    with Listener(service) as listener, opened(tmp_path, "elasticsearch", url=listener.url) as sink:
        dropped = deliver(sink, stored([record(i) for i in range(200)])).dropped
    assert len(dropped) == 33
    assert dropped["rejected"] == 168


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>"),
        Reply(200, b'{"items":[]}'),
        Reply(200, b'{"items":[{"create":{"status":201}}', is_cut=True),
        Reply(429),
        Reply(503),
    ],
    ids=["no-json", "too-few", "cut", "429", "503"],
)
def test_what_was_stored_before_a_lost_answer_is_not_stored_twice(tmp_path: Path, reply: Reply) -> None:
    service = FakeElasticsearch()
    with Listener(service) as listener, opened(tmp_path, "elasticsearch", url=listener.url) as sink:

        def store_and_fail(heard: Any) -> Reply:
            service(heard)
            return reply

        listener.script = [store_and_fail]
        with pytest.raises(SinkError):
            deliver(sink, stored([record(i) for i in range(5)]))
        assert deliver(sink, stored([record(i) for i in range(5)])).delivered == 5
    assert len(service.documents) == service.conflicts == 5


async def test_records_of_a_collector_arrive_and_the_books_balance(tmp_path: Path) -> None:
    service = FakeElasticsearch()
    service.judge = lambda d: (400, "illegal_argument_exception") if number(d) % 10 == 0 else None
    with Listener(service) as listener:
        config = collector_config(tmp_path / "c.json", "elasticsearch", url=listener.url, expression="n > 20")
        async with collector(tmp_path / "data", config) as running:
            listener.script = [Reply(503), Reply(429), Reply(200, b"{", is_cut=True)]
            for first in range(1, 101, 20):
                await ship(running.address, batch(first, [record(first + i) for i in range(20)]))
            runner = running.service._fanout.runners["elasticsearch.t"]
            await eventually_async(lambda: runner.accepted == 100 and not runner.buffered)
            books = runner.books
            assert runner.accepted == 100 == books.delivered + books.dropped.total() + runner.buffered
            assert books.dropped == {"filtered": 20, "illegal_argument_exception": 8}
            assert books.failures == 3
        kept = (tmp_path / "data" / "dead-letters" / "elasticsearch.t.log").read_bytes().splitlines()
    assert len(service.documents) == 72
    assert sorted(json.loads(line)["record"]["n"] for line in kept) == list(range(30, 101, 10))


def test_logstash_gets_an_array_of_the_same_documents(tmp_path: Path) -> None:
    with Listener() as listener, opened(tmp_path, "logstash", url=f"{listener.url}/in") as sink:
        listener.script = [Reply(429), Reply(503)]
        for _ in range(2):
            with pytest.raises(SinkError):
                deliver(sink, stored([record(1), record(2, level="WARNING")]))
        assert deliver(sink, stored([record(1), record(2, level="WARNING")])).delivered == 2
    bodies = [json.loads(heard.body) for heard in listener.heard]
    assert bodies[0] == bodies[1] == bodies[2]
    assert [document["log"]["level"] for document in bodies[0]] == ["info", "warning"]
    assert len({document["event"]["id"] for document in bodies[0]}) == 2
    assert listener.heard[0].headers["content-type"] == "application/json"
