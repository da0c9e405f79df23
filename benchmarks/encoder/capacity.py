"""What one clip costs in each format: processor time and peak memory, from which capacity is planned."""

from __future__ import annotations

from telecine import Output

from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Finding
from benchmarks.ours import encode

_OUTPUTS = {
    "MP4, H.264": Output("mp4"),
    "MP4, HEVC": Output("mp4", codec="hevc"),
    "MP4, AV1": Output("mp4", codec="av1"),
    "WebM, VP9": Output("webm"),
    "WebP, animated": Output("webp"),
    "GIF": Output("gif"),
    "APNG": Output("apng"),
    "PNG sequence": Output("png"),
    "MOV, ProRes": Output("mov"),
    "MKV, FFV1": Output("mkv"),
}
"""Each with the service's own quality."""


def measure(context: Context) -> list[Finding]:
    """Each clip once in each format, alone; rgb24, as models make it."""
    found = []
    with warm_service() as (server, client), temporary_directory() as directory:
        for clip in context.clips("rgb24"):
            for name, output in _OUTPUTS.items():
                service, workers = server.cpu_seconds()
                times = encode(client, clip, [output], directory, FPS)
                service_after, workers_after = server.cpu_seconds()
                cpu = workers_after - workers + service_after - service
                found.append(
                    Finding(
                        "cost of a clip",
                        f"{clip.shape.name}, {clip.shape.frame_count} frames, {name}",
                        ours=f"{cpu:.1f} CPU s",
                        against="",
                        ratio="",
                        target="",
                        is_reached=None,
                        note=f"{3600 / cpu:.0f} clips per core and hour; took {times.total_seconds:.1f} s; "
                        f"worker's peak {int(times.manifest['resources']['peak_rss_bytes']) / 1e6:.0f} MB",
                    )
                )
    return found
