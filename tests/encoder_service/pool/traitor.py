"""A zygote whose workers are real until an output's name asks for what a taken-over codec could do.

It is started in place of the real one, by `worker_wrapper`.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from encoder_service.evidence.facts import Walls
from encoder_service.worker.process import program, zygote
from encoder_service.worker.process.attempt import Attempt
from encoder_service.worker_protocol import Assignment

_honest = program._answer
_SECONDS = 60.0
Answer = dict[str, Any]


def say(event: Answer | bytes) -> None:
    line = memoryview((event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n")
    while line:
        line = line[os.write(zygote.EVENTS, line) :]


def progress(frames: int) -> Answer:
    return {"type": "progress", "phase": "encoding", "frames_encoded": frames, "bytes_written": frames}


def fail(message: str) -> None:
    say({"type": "failed", "code": "BETRAYED", "message": message, "is_retryable": False})


def changed(**values: object) -> Callable[[Answer], None]:
    """An answer with other values, `a__b` for one inside another."""

    def betray(answer: Answer) -> None:
        for name, value in values.items():
            place, *inner = name.split("__")
            if place == "file":
                answer["files"][0][inner[0]] = value
            elif inner:
                answer[place][inner[0]] = value
            else:
                answer[place] = value
        say(answer)

    return betray


def renamed(path: str) -> Callable[[Answer], None]:
    def betray(answer: Answer) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(answer["files"][0]["path"]).rename(path)
        changed(file__path=path)(answer)

    return betray


def deep(answer: Answer) -> None:
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    say(answer)


def endlessly(descriptor: int, data: bytes) -> Callable[[Answer], None]:
    def betray(_answer: Answer) -> None:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            os.write(descriptor, data)

    return betray


def swarm(_answer: Answer) -> None:
    threading.stack_size(64 << 10)
    for _ in range(20_000):
        threading.Thread(target=threading.Event().wait, args=(_SECONDS,), daemon=True).start()
    threading.Event().wait(_SECONDS)


def tables(_answer: Answer) -> None:
    """Hardly a page of its own, but a page of the kernel's for each two megabytes that it looks at."""
    size = 1 << 40
    place = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
    place.madvise(mmap.MADV_NOHUGEPAGE)
    for offset in range(0, size, 2 << 20):
        _ = place[offset]
    fail("done")


def many_warnings(_answer: Answer) -> None:
    for number in range(900):
        say({"type": "warned", "code": "W", "message": f"{number:04} " + "m" * 3900})
    fail("warned")


def many_bytes(_answer: Answer) -> None:
    """Files that are each small enough, one after the other."""
    for number in range(4096):
        Path(f"{number % 40}.part").write_bytes(bytes(1 << 20) * (1 + number // 40))


def deleted_bytes(_answer: Answer) -> None:
    """A file that no directory shows."""
    file = Path("gone").open("wb")  # noqa: SIM115 - held, as an attacker would
    Path("gone").unlink()
    file.writelines(bytes(1 << 20) for _ in range(4096))


def many_files(_answer: Answer) -> None:
    for number in range(1_000_000):
        Path(f"{number}").touch()


BETRAYALS: dict[str, Callable[[Answer], None]] = {
    "huge-progress": lambda _: (say(progress(1 << 70)), fail("done"))[-1],
    "huge-frames": changed(frames_encoded=1 << 70),
    "huge-size": changed(file__size_bytes=1 << 63),
    "negative-times": changed(resources={"cpu_seconds": -1e308, "peak_rss_bytes": -5}),
    "no-rate": changed(readback__frame_rate={"numerator": 0, "denominator": 0}),
    "no-files": changed(files=[]),
    "media-type": changed(file__media_type="text/html\r\nX: y"),
    "long-options": changed(encoder__options={f"o{n}": "v" * 100 for n in range(10_000)}),
    "long-name": renamed("x" * 250 + ".mp4"),
    "too-long-name": changed(file__path="x" * 300),
    "climbing": changed(file__path="a/../../../x"),
    "manifest": renamed("manifest.json"),
    "future-manifest": renamed(".manifest.json.tmp"),
    "terminal": changed(file__path="a\x1b[31m.mp4"),
    "below": renamed("zz/x"),
    "above": lambda answer: (threading.Event().wait(1), renamed("zz")(answer))[-1],
    "level": lambda _: say({"type": "logged", "level": "x\nforged " * 100_000, "message": ""}),
    "code": lambda _: (say({"type": "warned", "code": "A\n" * 1000, "message": ""}), fail("done"))[-1],
    "empty-lines": endlessly(zygote.EVENTS, b"\n" * 65536),
    "progress": endlessly(zygote.EVENTS, json.dumps(progress(1)).encode() + b"\n"),
    "words": endlessly(2, b"\n" * 65536),
    "deep": deep,
    "many-bytes": many_bytes,
    "deleted-bytes": deleted_bytes,
    "many-files": many_files,
    "swarm": swarm,
    "tables": tables,
    "many-warnings": many_warnings,
}


def answer(order: Assignment, attempt: Attempt | None, walls: Walls) -> object:
    """As the real one, unless the output is to be betrayed."""
    honest = _honest(order, attempt, walls)
    if attempt is not None and order.output.name in BETRAYALS:
        os.chdir(order.directory)
        BETRAYALS[order.output.name](json.loads(msgspec.json.encode(honest)))
        os._exit(0)
    return honest


if __name__ == "__main__":
    del sys.argv[1:-1]
    program._answer = answer  # type: ignore[assignment]
    zygote.main()
