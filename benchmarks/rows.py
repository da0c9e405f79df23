"""Every row by its name on the command line, grouped into the sections of docs/benchmarks.md."""

from __future__ import annotations

from benchmarks.collector import call_cost, redaction_share, tail, ten_million, throughput
from benchmarks.collector import tenants as collector_tenants
from benchmarks.context import Row
from benchmarks.encoder import (
    attempt,
    capacity,
    clients,
    diffusers,
    doors,
    memory,
    overhead,
    pipe,
    real_time,
    sound,
    three_outputs,
    webp,
)
from benchmarks.encoder import tenants as encoder_tenants

SECTIONS: dict[str, tuple[Row, ...]] = {
    "encoder": (
        Row(
            "hand-off", "first push to sender free, and total time, against a pipe into FFmpeg", pipe.measure
        ),
        Row("webp", "animated WebP against Pillow", webp.measure),
        Row("outputs", "MP4 + WebM + WebP at once against one after the other", three_outputs.measure),
        Row("sound", "MP4 with sound against imageio-ffmpeg from a WAV file", sound.measure),
        Row("diffusers", "export_to_video of diffusers against its stand-in", diffusers.measure),
        Row("real-time", "last frame to artifact, 10 s against 60 s", real_time.measure),
        Row("memory", "memory of the service, 10 s against 120 s", memory.measure),
        Row("clients", "eight clients against one", clients.measure),
        Row("capacity", "what a clip costs in each format, alone", capacity.measure),
        Row("attempt", "what an attempt costs besides its frames", attempt.measure),
        Row("hand-off-shared", "hand-off while another tenant floods", encoder_tenants.measure),
        Row("doors", "asking who calls: a unary call and a hand-off, with and without", doors.measure),
        Row("overhead", "server CPU outside codecs", overhead.measure),
    ),
    "collector": (
        Row("ship", "records/s by Ship: acknowledged, and in all files", throughput.measure_ship),
        Row("otlp", "records/s by OTLP: acknowledged, and in all files", throughput.measure_otlp),
        Row("ack", "acknowledgement at 50,000 records/s", throughput.measure_acknowledgement),
        Row("ack-shared", "acknowledgement while another tenant floods", collector_tenants.measure),
        Row("log-call", "logger.info with 5 fields, against other libraries", call_cost.measure),
        Row("redaction", "share of redaction in the CPU of ingest", redaction_share.measure),
        Row("ten-million", "a job and a text found among ten million; memory meanwhile", ten_million.measure),
        Row("tail", "record written to seen by Tail", tail.measure),
    ),
}
"""A new group of rows is a new section, and two marker lines in docs/benchmarks.md."""

ROWS = {row.name: row for rows in SECTIONS.values() for row in rows}
