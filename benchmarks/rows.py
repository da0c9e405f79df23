"""Every row by its name on the command line, grouped into the sections of docs/benchmarks.md."""

from __future__ import annotations

from benchmarks.context import Row
from benchmarks.encoder import clients, memory, overhead, pipe, real_time, three_outputs, webp

SECTIONS: dict[str, tuple[Row, ...]] = {
    "encoder": (
        Row(
            "hand-off", "first push to sender free, and total time, against a pipe into FFmpeg", pipe.measure
        ),
        Row("webp", "animated WebP against Pillow", webp.measure),
        Row("outputs", "MP4 + WebM + WebP at once against one after the other", three_outputs.measure),
        Row("real-time", "last frame to artifact, 10 s against 60 s", real_time.measure),
        Row("memory", "memory of the service, 10 s against 120 s", memory.measure),
        Row("clients", "eight clients against one", clients.measure),
        Row("overhead", "server CPU outside codecs", overhead.measure),
    ),
}
"""A new group of rows is a new section, and two marker lines in docs/benchmarks.md."""

ROWS = {row.name: row for rows in SECTIONS.values() for row in rows}
