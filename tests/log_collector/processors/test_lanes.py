"""Work on batches: nobody is kept waiting by what takes long."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from pathlib import Path

import pytest

from log_collector.processors.lanes import COSTLY_BYTES, Lanes
from log_collector.processors.redact import CostlyError, Redaction
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, last_acknowledged, record, ship, stub

_REDACTION = Redaction()
_TIMEOUT_SECONDS = 60


def _costly(limit: float) -> str:
    if limit < math.inf:
        raise CostlyError
    return "done"


async def test_what_takes_long_has_one_thread_of_its_own() -> None:
    lanes = Lanes(2)
    gate, begun = threading.Event(), threading.Event()

    def endless(limit: float) -> str:
        _costly(limit)
        begun.set()
        gate.wait(_TIMEOUT_SECONDS)
        return "late"

    slow = [asyncio.ensure_future(lanes.run(f"s{i}", endless)) for i in range(5)]
    await asyncio.to_thread(begun.wait, _TIMEOUT_SECONDS)
    assert await asyncio.wait_for(lanes.run("honest", lambda _: "quick"), _TIMEOUT_SECONDS) == "quick"
    gate.set()
    assert await asyncio.gather(*slow) == ["late"] * 5
    lanes.close()


async def test_senders_take_turns() -> None:
    lanes = Lanes(1)
    gate = threading.Event()
    order: list[str] = []

    def work(name: str) -> str:
        gate.wait(_TIMEOUT_SECONDS)
        order.append(name)
        return name

    greedy = [asyncio.ensure_future(lanes.run("greedy", lambda _, i=i: work(f"g{i}"))) for i in range(8)]
    await asyncio.sleep(0)
    honest = asyncio.ensure_future(lanes.run("honest", lambda _: work("honest")))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(honest, *greedy)
    assert order.index("honest") <= 2
    lanes.close()


async def test_work_whose_caller_is_gone_is_not_begun() -> None:
    lanes = Lanes(1)
    gate = threading.Event()
    ran: list[int] = []
    first = asyncio.ensure_future(lanes.run("a", lambda _: gate.wait(_TIMEOUT_SECONDS)))
    rest = [asyncio.ensure_future(lanes.run("a", lambda _, i=i: ran.append(i))) for i in range(20)]
    await asyncio.sleep(0)
    for task in rest:
        task.cancel()
    gate.set()
    await first
    assert await lanes.run("b", lambda _: "next") == "next"
    assert ran == []
    lanes.close()


def test_lines_are_redacted_alike_in_windows_of_any_size() -> None:
    lines = b"".join(
        json.dumps({"msg": "x" * (n % 3000), "password": f"hunter{n}x", "n": n}).encode() + b"\n"
        if n % 5 == 0
        else json.dumps({"msg": "y" * (n % 2000), "n": n}).encode() + b"\n"
        for n in range(2000)
    )
    whole = _REDACTION.redact(lines)
    assert whole.counts == {"password": 400}
    assert whole.lines == b"".join(_REDACTION.redact(one + b"\n").lines for one in lines[:-1].split(b"\n"))
    assert _REDACTION.redact(lines, len(lines)) == whole
    with pytest.raises(CostlyError):
        _REDACTION.redact(lines, COSTLY_BYTES)
    clean = b'{"msg":"nothing here"}\n' * 100_000
    assert _REDACTION.redact(clean, 1).lines is clean


def test_a_line_without_a_newline_at_the_end_is_kept() -> None:
    clean = b'{"msg":"nothing here"}\n' * 20_000 + b"the rest"
    assert _REDACTION.redact(clean).lines == clean
    assert _REDACTION.redact(clean + b" password=hunter2x").lines == clean + b" password=***redacted***"


async def test_a_few_small_batches_that_take_minutes_keep_nobody_waiting(tmp_path: Path) -> None:
    hostile = [record(n, msg="token=aB3dE6gH9 " * 16_000) for n in range(5)]
    honest = [record(n) for n in range(200)]
    async with collector(tmp_path, intake__threads=2) as running, stub(running.address) as client:
        calls = []
        for number in range(6):
            request = batch(1, hostile, producer=f"hostile-{number}")
            assert len(request.batch.records) < 64 << 10
            call = client.Ship()
            await call.write(request)
            calls.append(call)
        await eventually_async(lambda: running.is_costly_lane_busy)
        for number in range(3):
            answers = await asyncio.wait_for(
                ship(running.address, batch(1, honest, producer=f"h-{number}")), 5
            )
            assert last_acknowledged(answers) == len(honest)
        for call in calls:
            call.cancel()
        started = asyncio.get_running_loop().time()
    # What has begun is waited for, what has not is not begun.
    assert asyncio.get_running_loop().time() - started < _TIMEOUT_SECONDS


async def test_tenants_take_turns_however_many_streams_one_of_them_has() -> None:
    lanes = Lanes(1)
    gate = threading.Event()
    order: list[str] = []

    def work(name: str) -> None:
        gate.wait(_TIMEOUT_SECONDS)
        order.append(name)

    flood = [
        asyncio.ensure_future(lanes.run(f"stream-{i}", lambda _, i=i: work(f"f{i}"), "flood"))
        for i in range(8)
    ]
    await asyncio.sleep(0)
    acme = [
        asyncio.ensure_future(lanes.run("stream", lambda _, i=i: work(f"a{i}"), "acme")) for i in range(2)
    ]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*flood, *acme)
    assert order[:4] in (["f0", "f1", "a0", "f2"], ["f0", "a0", "f1", "a1"])
    assert "a1" in order[:5]
    lanes.close()
