"""Plain lines of JSON over HTTP: curl suffices, each line has its answer, a key makes them stand once."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from log_collector.ingest.accounting import Way
from tests.log_collector.harness import collector, record
from tests.log_collector.http.client import Answer, ask
from tests.log_collector.http.test_otlp import HTTP


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


async def test_each_line_has_its_answer(tmp_path: Path) -> None:
    sent = b"\xef\xbb\xbf" + b'{"msg": "a", "level": "warn"}\r\n\n  \n{"msg": \n[1]\n'
    sent += b'{"msg": "\xff"}\n{"msg": "b", "service": "s"}'
    async with collector(tmp_path, **HTTP) as running:
        answer = await ask(running.http, "/v1/records?service=mine", sent)
        records = running.records()
        assert len(running.quarantined()) == 3
        assert running.service._accounting.received == {Way.RECORDS: 5}
        assert running.service._accounting.is_balanced()
    found = answer.json
    assert (answer.status, found["accepted"], found["duplicate"], found["rejected"]) == (200, 2, 0, 3)
    assert [(one["line"], one["reason"]) for one in found["rejections"]] == [
        (4, "not_json"),
        (5, "not_json"),
        (6, "not_json"),
    ]
    assert all(one["message"].startswith("expected one JSON object a line") for one in found["rejections"])
    assert [(r["msg"], r["service"], r["level"]) for r in records] == [
        ("a", "mine", "WARNING"),
        ("b", "s", "INFO"),
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_sends_a_file(tmp_path: Path) -> None:
    (tmp_path / "app.jsonl").write_bytes(lines(*(record(n) for n in range(300))))
    async with collector(tmp_path / "data", **HTTP) as running:
        url = f"http://{running.http}/v1/records"
        command = ["curl", "--silent", "--fail", "--data-binary", f"@{tmp_path / 'app.jsonl'}", url]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        assert [r["n"] for r in running.records()] == list(range(300))
    assert json.loads(done.stdout) == {"accepted": 300, "duplicate": 0, "rejected": 0, "rejections": []}


async def test_secrets_are_taken_out_and_packed_lines_unpacked(tmp_path: Path) -> None:
    sent = gzip.compress(lines({"msg": "in", "password": "hunter2hunter2"}, b"x".hex() and {"msg": "b"}))
    async with collector(tmp_path, **HTTP) as running:
        answer = await ask(running.http, "/v1/records", sent, {"content-encoding": "gzip"})
        assert running.records()[0]["password"] == "***redacted***"
        assert answer.json["accepted"] == 2


async def test_the_same_lines_under_a_key_stand_once_also_after_a_restart(tmp_path: Path) -> None:
    sent = lines({"msg": "a"}, {"msg": "b"}) + b"{\n"

    async def send(address: str, body: bytes, key: str = "k1", query: str = "") -> Answer:
        return await ask(address, f"/v1/records{query}", body, {"idempotency-key": key})

    async with collector(tmp_path, **HTTP) as running:
        first, *again = await asyncio.gather(*(send(running.http, sent) for _ in range(4)))
        counts = sorted(
            (a.json["accepted"], a.json["duplicate"], a.json["rejected"]) for a in (first, *again)
        )
        assert counts == [(0, 2, 1), (0, 2, 1), (0, 2, 1), (2, 0, 1)]
        assert all(a.json["rejections"][0]["line"] == 3 for a in (first, *again))
    async with collector(tmp_path, **HTTP) as running:
        repeated = await send(running.http, sent)
        other_lines = await send(running.http, lines({"msg": "c"}))
        other_key = await send(running.http, sent, "k2")
        stored = [r["msg"] for r in running.records()]
    assert repeated.json["duplicate"] == 2
    assert (other_lines.status, other_lines.reason) == (422, "INVALID_FIELD")
    assert other_key.json["accepted"] == 2
    assert stored == ["a", "b", "a", "b"]


async def test_what_is_wrong_with_a_request_is_said_before_anything_is_stored(tmp_path: Path) -> None:
    wrong = {
        "/v1/records?service=a%20b": (b"{}", {}, 400, "service"),
        "/v1/records?tenant=other": (b"{}", {}, 400, "query"),
        "/v1/records?service=a": (b"{}", {"idempotency-key": "a b"}, 400, "idempotency-key"),
        "/v1/records?service=b": (b"{}", {"content-type": "image/png"}, 415, "content-type"),
        "/v1/records?service=c": (b"{}\n" * 11, {}, 413, "the limit is 10"),
    }
    async with collector(tmp_path, **HTTP, intake__records_per_batch=10) as running:
        for path, (body, headers, status, named) in wrong.items():
            answer = await ask(running.http, path, body, headers)
            assert answer.status == status, path
            assert named in answer.json["message"]
        assert (await ask(running.http, "/v1/records", b"\n\n")).json["accepted"] == 0
        assert running.records() == []
