"""What Elasticsearch, Loki and Sentry do with a request, as far as a sink can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sentry_sdk.envelope import Envelope

from tests.log_collector.sinks.listener import Heard, Reply


class FakeElasticsearch:
    """Creates documents by the bulk API as a data stream does: an id that is there is a conflict.

    `judge` may refuse a document with (status, type of the error).
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.conflicts = 0
        self.judge: Callable[[dict[str, Any]], tuple[int, str] | None] = lambda _: None

    def __call__(self, heard: Heard) -> Reply:
        lines = heard.body.splitlines()
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            identity, document = json.loads(action)["create"]["_id"], json.loads(source)
            refusal = self.judge(document)
            if refusal is not None:
                error = {"type": refusal[1], "reason": "failed to parse field [x]"}
                items.append({"create": {"status": refusal[0], "error": error}})
            elif identity in self.documents:
                self.conflicts += 1
                error = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
                items.append({"create": {"status": 409, "error": error}})
            else:
                self.documents[identity] = document
                items.append({"create": {"status": 201}})
        has_errors = any(item["create"]["status"] >= 300 for item in items)
        body = json.dumps({"took": 1, "errors": has_errors, "items": items}).encode()
        # The official client looks for these two.
        headers = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}
        return Reply(200, body, headers)


class FakeLoki:
    """Keeps entries by stream; equal lines of one time are one. `refuses` gives Loki's words for an entry."""

    def __init__(self) -> None:
        self.entries: dict[tuple[tuple[str, str], ...], dict[tuple[str, str], dict[str, str]]] = {}
        self.pushed = 0
        self.refuses: Callable[[str, str], str] = lambda _nano, _line: ""
        self.is_counting_ignored = True

    def __call__(self, heard: Heard) -> Reply:
        ignored, total, said = 0, 0, ""
        for stream in json.loads(heard.body)["streams"]:
            kept = self.entries.setdefault(tuple(sorted(stream["stream"].items())), {})
            for nano, line, *metadata in stream["values"]:
                total += 1
                words = self.refuses(nano, line)
                if words:
                    ignored, said = ignored + 1, words
                    continue
                self.pushed += 1
                kept[nano, line] = metadata[0] if metadata else {}
        if not ignored:
            return Reply(204)
        counted = (
            f", total ignored: {ignored} out of {total} for stream: {{}}" if self.is_counting_ignored else ""
        )
        return Reply(400, f"entry with timestamp 1 ignored, reason: '{said}'{counted}".encode())

    def lines(self) -> list[str]:
        return [line for kept in self.entries.values() for _, line in kept]


class FakeSentry:
    """Keeps events by their ids, read by the SDK's own reader; an id that is there is the same event."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.received = 0

    def __call__(self, heard: Heard) -> Reply:
        envelope = Envelope.deserialize(heard.body)
        event = envelope.get_event()
        assert event is not None
        assert envelope.headers["event_id"] == event["event_id"]
        self.received += 1
        self.events.setdefault(event["event_id"], event)
        return Reply(200, json.dumps({"id": event["event_id"]}).encode())
