"""Damages one file of a collector's data directory, and says what became of the records."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import zstandard

from service_host.errors import StartError
from tests.eventually import eventually_async
from tests.log_collector.harness import (
    Collector,
    batch,
    collector,
    last_acknowledged,
    record,
    ship,
)

SETTINGS = {"journal__segment_bytes": 65536, "journal__size_bytes": 4 << 20}
SECRET = b"s" * 32
HOWS = ("flip", "cut", "empty", "delete", "swap", "garbage")
BEFORE = 400
AFTER = 200


class Outcome(msgspec.Struct):
    """What a start after one mutation led to."""

    refusal: str = ""
    """Why it did not start; empty: it did."""
    lost: list[int] = []
    doubled: list[int] = []
    broken_lines: int = 0
    lost_after: int = 0
    """Of the records that were acknowledged after the restart."""
    reported: int = 0
    """Damages in GetStats."""


def _text(number: int) -> str:
    return random.Random(number).randbytes(150).hex()


def _records(first: int, count: int) -> list[object]:
    return [record(n, job_id=f"j{n % 3}", text=_text(n)) for n in range(first, first + count)]


async def _send(running: Collector, first: int, count: int, declared: bool = True) -> None:
    """As a client does: where the collector has forgotten numbers, it declares them lost and goes on."""
    request = batch(first, _records(first, count), producer="P", secret=SECRET)
    answers = await ship(running.address, request)
    refused = [answer.refused for answer in answers if answer.HasField("refused")]
    if refused and declared:
        request.batch.lost_before = first - refused[0].expected_seq
        answers = await ship(running.address, request)
    assert last_acknowledged(answers) == first + count - 1, answers


async def delivered(running: Collector) -> None:
    """Returns once all that is in the journal stands in the files."""
    runner = running.service._fanout.runners["file"]
    await eventually_async(lambda: runner.is_caught_up)


async def make_sound(directory: Path, *, is_delivered: bool = True) -> None:
    """A data directory as a killed collector leaves it: not closed in order."""
    live = directory.with_name(f"{directory.name}-live")
    async with collector(live, **SETTINGS) as running:
        for first in range(1, BEFORE // 2 + 1, 20):
            await _send(running, first, 20)
        await delivered(running)
        if not is_delivered:
            running.service._fanout.runners["file"].stop()
        for first in range(BEFORE // 2 + 1, BEFORE + 1, 20):
            await _send(running, first, 20)
        if is_delivered:
            await delivered(running)
        await _settled(live / "cursors")
        shutil.copytree(live, directory)
    shutil.rmtree(live)


async def _settled(cursors: Path) -> None:
    """Returns once the sinks' cursors stand still: their last step is written after the files it is about."""
    before: list[bytes] = []
    async with asyncio.timeout(20):
        while (now := [path.read_bytes() for path in sorted(cursors.iterdir())]) != before:
            before = now
            await asyncio.sleep(0.3)


def files_of(directory: Path) -> list[str]:
    """What can be damaged: all that the collector keeps for itself, not the files for people."""
    found = [p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()]
    return sorted(name for name in found if not name.startswith(("logs/", "own-logs/")) and name != "lock")


def mutate(directory: Path, name: str, how: str, chance: random.Random) -> None:
    """Does one damage to one file."""
    path = directory / name
    data = bytearray(path.read_bytes())
    match how:
        case "flip" if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data)
        case "cut" if data:
            path.write_bytes(data[: chance.randrange(len(data))])
        case "empty":
            path.write_bytes(b"")
        case "delete":
            path.unlink()
        case "garbage":
            path.write_bytes(data + chance.randbytes(chance.randrange(1, 500)))
        case "swap":
            other = directory / chance.choice([n for n in files_of(directory) if n != name])
            path.write_bytes(other.read_bytes())
            other.write_bytes(data)


async def outcome_of(sound: Path, work: Path, damage: Callable[[Path], None]) -> Outcome:
    """Starts a collector on a damaged copy, ships more, restarts it, and counts what stands in the files."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(sound, work)
    damage(work)
    outcome = Outcome()
    try:
        async with collector(work, **SETTINGS) as running:
            outcome.reported = running.service._condition.damage_count
            for first in range(BEFORE + 1, BEFORE + AFTER + 1, 20):
                await _send(running, first, 20)
            await delivered(running)
        async with collector(work, **SETTINGS) as running:
            await delivered(running)
    except StartError as error:
        outcome.refusal = str(error)
        return outcome
    counts: Counter[int] = Counter()
    for path in (work / "logs").glob("worker.log*"):
        text = path.read_bytes()
        if path.suffix == ".zst":
            text = zstandard.ZstdDecompressor().stream_reader(text, read_across_frames=True).read()
        for line in text.splitlines():
            try:
                counts[json.loads(line)["n"]] += 1
            except (ValueError, KeyError):
                outcome.broken_lines += 1
    outcome.lost = [n for n in range(1, BEFORE + AFTER + 1) if n not in counts]
    outcome.lost_after = sum(n > BEFORE for n in outcome.lost)
    outcome.doubled = [n for n, count in counts.items() if count > 1]
    return outcome
