"""What redaction costs where there is nothing to redact, and where a text is made to be slow."""

from __future__ import annotations

import time

import zstandard
from telecine.logging.redaction import Redactor

from benchmarks.collector.records import BATCH_RECORDS, ship_batches
from benchmarks.collector.service import Load, running_collector
from benchmarks.context import Context
from benchmarks.measure import Figures, Finding, interleaved

_MOST = 0.15
_FLAT = 2.0
_SHAPES = (
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "npm_" + "a1B2c3D4e5F6" * 3,
    "eyJ",
    "sk-",
    "4111 ",
    "password=x ",
    "pwd=x ",
    "Bearer ",
)


def measure(context: Context) -> list[Finding]:
    """CPU of the scan for secrets in this process, against all CPU of a collector that takes them in."""
    batches = [
        zstandard.ZstdDecompressor().decompress(packed.data) for packed in ship_batches("worker", 20, seed=3)
    ]
    redactor = Redactor()
    for batch in batches:
        redactor.redact_lines(batch)
    measured = interleaved(
        {"scan": lambda: _scan(redactor, batches), "ingest": lambda: _ingest(context.records(900_000))},
        min(context.rounds, 3),
    )
    scan, ingest = measured["scan"].median("cpu"), measured["ingest"].median("cpu")
    share = scan / ingest
    return [
        Finding(
            "redaction",
            "share of the CPU of ingest, nothing matches",
            ours=f"{share:.0%}",
            against="",
            ratio="",
            target=f"< {_MOST:.0%}",
            is_reached=share < _MOST,
            note=f"{scan * 1e6:.2f} of {ingest * 1e6:.2f} µs per record; engine {redactor.engine}",
        ),
        _hostile(redactor),
    ]


def _hostile(redactor: Redactor) -> Finding:
    """Time per byte of the slowest shapes, 256 KiB against 4 KiB."""
    small, large = (max(_per_byte(redactor, piece, size) for piece in _SHAPES) for size in (4 << 10, 1 << 18))
    return Finding(
        "redaction",
        "hostile text, time per byte at 256 KiB against 4 KiB",
        ours=f"{large * 1e9:.0f} ns",
        against=f"{small * 1e9:.0f} ns",
        ratio=f"{large / small:.2f}",
        target=f"< {_FLAT}",
        is_reached=large / small < _FLAT,
        note=f"the slowest of {len(_SHAPES)} shapes, each repeated",
    )


def _per_byte(redactor: Redactor, piece: str, size: int) -> float:
    text = piece * (size // len(piece))
    best = float("inf")
    for _ in range(3 if size < 1 << 16 else 1):
        begin = time.thread_time()
        redactor.redact_text(text)
        best = min(best, time.thread_time() - begin)
    return best / len(text)


def _scan(redactor: Redactor, batches: list[bytes]) -> Figures:
    begin = time.thread_time()
    for batch in batches:
        redactor.redact_lines(batch)
    return {"cpu": (time.thread_time() - begin) / (len(batches) * BATCH_RECORDS)}


def _ingest(count: int) -> Figures:
    with running_collector({"files.is_on": "false"}) as collector:
        load = Load(collector.address, "ship", count, BATCH_RECORDS)
        before = collector.cpu_seconds()
        report = load.go()
        return {"cpu": (collector.cpu_seconds() - before) / report.records}
