"""Requests of an ASGI program carry an id through all of their records and back to the caller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from telecine.logging import configure_logging, current_request_id, get_logger
from telecine.logging.asgi import AsgiApp, RequestIdMiddleware

Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    configure_logging("api", directory=tmp_path, console="off")
    return lambda: [json.loads(line) for line in (tmp_path / "api.log").read_bytes().splitlines()]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """A program as a framework would call it; what it does stands in the path."""
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        return
    get_logger("app").info("working", seen=current_request_id())
    await asyncio.sleep(0)
    if scope["path"] == "/raises":
        raise ValueError("no such thing")
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    status = 503 if scope["path"] == "/busy" else 200
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"x-request-id", b"app's own")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


async def called(
    program: AsgiApp, path: str = "/", request_id: bytes | None = None, kind: str = "http"
) -> list[dict[str, Any]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    headers = [(b"X-Request-Id", request_id)] if request_id is not None else []
    scope = {
        "type": kind,
        "method": "POST",
        "path": path,
        "query_string": b"token=s3cr3t",
        "headers": headers,
    }
    await program(scope, receive, send)
    return sent


def header_of(sent: list[dict[str, Any]]) -> list[bytes]:
    return [value for name, value in sent[0]["headers"] if name == b"x-request-id"]


async def test_the_callers_id_stands_in_every_record_and_in_the_answer(records: Records) -> None:
    sent = await called(RequestIdMiddleware(app), request_id=b"caller-7")
    assert header_of(sent) == [b"caller-7"]
    assert [r["request_id"] for r in records()] == ["caller-7", "caller-7"]
    assert records()[0]["seen"] == "caller-7"
    assert current_request_id() == ""


@pytest.mark.parametrize("request_id", [None, b"", b"two words", b"x" * 129, b'"\n{', "ö".encode()])
async def test_without_a_sound_id_one_is_made(records: Records, request_id: bytes | None) -> None:
    (made,) = header_of(await called(RequestIdMiddleware(app), request_id=request_id))
    assert len(made) == 32
    assert {r["request_id"] for r in records()} == {made.decode()}


async def test_a_request_ends_with_one_record_and_without_its_query(records: Records) -> None:
    times = iter([10.0, 10.25])
    await called(RequestIdMiddleware(app, clock=lambda: next(times)), "/jobs")
    (record,) = [r for r in records() if r["logger"] == "http.access"]
    assert record["msg"] == "request"
    assert record["level"] == "INFO"
    assert record["event"] == "http:request"
    assert record["method"] == "POST"
    assert record["path"] == "/jobs"
    assert record["status"] == 200
    assert record["duration_ms"] == 250
    assert "s3cr3t" not in json.dumps(records())


async def test_a_servers_error_is_an_error(records: Records) -> None:
    await called(RequestIdMiddleware(app), "/busy")
    assert (records()[-1]["level"], records()[-1]["status"]) == ("ERROR", 503)


async def test_what_the_program_raises_is_recorded_and_raised(records: Records) -> None:
    with pytest.raises(ValueError, match="no such thing"):
        await called(RequestIdMiddleware(app), "/raises")
    record = records()[-1]
    assert (record["level"], record["status"], record["error_type"]) == ("ERROR", 500, "ValueError")
    assert "no such thing" in record["stack"]


async def test_a_websocket_has_its_id_too(records: Records) -> None:
    sent = await called(RequestIdMiddleware(app), request_id=b"ws-1", kind="websocket")
    assert header_of(sent) == [b"ws-1"]
    assert records()[-1]["event"] == "websocket:request"


async def test_requests_side_by_side_keep_their_own_ids(records: Records) -> None:
    program = RequestIdMiddleware(app, records_requests=False)
    await asyncio.gather(*(called(program, request_id=f"r-{n}".encode()) for n in range(20)))
    assert sorted(r["seen"] for r in records()) == sorted(f"r-{n}" for n in range(20))
    assert all(r["seen"] == r["request_id"] for r in records())


async def test_the_programs_own_start_passes_as_it_is(records: Records) -> None:
    sent = await called(RequestIdMiddleware(app), kind="lifespan")
    assert sent == [{"type": "lifespan.startup.complete"}]
