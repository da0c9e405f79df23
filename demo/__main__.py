"""Encodes a clip to MP4, WebM and WebP at once, verifies what came out, and tells the job's story."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import re
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from telecine import Client, EmbeddedServer, Output
from telecine.cli.encode.run import encode_source
from telecine.cli.encode.sources import Source, open_source
from telecine.cli.logs.story_view import render_story
from telecine.cli.show import documents, readable, terminal
from telecine.cli.show.failures import SourceError, show_failure
from telecine.cli.verify import render_verification, verify_paths
from telecine.clients.logs import JobStory, LogClient
from telecine.exceptions import JobNotFoundError

BUNDLED_CLIP = Path(__file__).parent / "big_buck_bunny.mp4"
CREDIT = "Big Buck Bunny (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0"
STORY_SECONDS = 10.0
LAST_STAGES = {"encode:complete", "encode:error"}
MAX_FRAMES = 300
"""All frames are decoded before the clock starts, so their number is bounded."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every artifact was made and verified."""
    arguments = _parser().parse_args(argv)
    console = terminal.results()
    try:
        clip = Path(arguments.clip)
        return _run(clip, Path(arguments.out_dir) / stem_of(clip), arguments.frames, console)
    except Exception as error:  # noqa: BLE001 - the outermost door: one clear block, no traceback
        return show_failure(error, as_json=False)


def _run(clip: Path, out_dir: Path, max_frames: int, console: Console) -> int:
    source = open_source(str(clip))
    if source.frame_rate is None:
        raise SourceError(f"{clip} states no frame rate", "give a video file; `telecine encode` takes images")
    frames = list(itertools.islice(source.frames, max_frames))
    _introduce(console, clip, source, len(frames), is_cut=source.frame_count > len(frames))
    console.print("starting encoder service and log collector, embedded ...")
    begin = time.perf_counter()
    with EmbeddedServer(service="collector") as collector:
        with EmbeddedServer(environment={"TELECINE_LOG_COLLECTOR": collector.address}) as server:
            ready = terminal.seconds_text(time.perf_counter() - begin)
            console.print(f"they are ready after {ready}\n")
            document = _encode(server, clip, source, frames, out_dir)
        story = _whole_story(collector.address, document.job_id)
    verified = verify_paths([out_dir])
    _show(console, document, verified, out_dir)
    render_story(console, story)
    return int(document.state != "succeeded" or not verified.is_sound)


def _encode(
    server: EmbeddedServer, clip: Path, source: Source, frames: list[bytes], out_dir: Path
) -> documents.EncodeDocument:
    rate = source.frame_rate or Fraction(0)
    document = encode_source(
        server.address,
        _replayed(source, frames),
        rate,
        outputs_of(clip),
        {"metadata": {"source": clip.name}},
        out_dir,
        is_silent=False,
    )
    with Client(server.address) as client:
        client.delete_job(document.job_id)
    return document


def _whole_story(collector: str, job_id: str) -> JobStory:
    """The encoder has ended, so its records are safe with the collector; the files follow in a moment."""
    until = time.monotonic() + STORY_SECONDS
    with LogClient(collector) as logs:
        while True:
            try:
                story = logs.job_story(job_id)
            except JobNotFoundError:
                if time.monotonic() > until:
                    raise
            else:
                is_whole = any(stage.stage in LAST_STAGES for stage in story.stages)
                if is_whole or time.monotonic() > until:
                    return story
            time.sleep(0.1)


def outputs_of(clip: Path) -> tuple[Output, ...]:
    """What the demo makes of a clip; files are named after it."""
    stem = stem_of(clip)
    return (
        Output("mp4", name=f"{stem}-h264"),
        Output("webm", name=f"{stem}-vp9", quality="standard"),
        Output("webp", name=f"{stem}-animated", quality="standard", scale=(640, 0)),
        Output("contact_sheet", name=f"{stem}-contact-sheet"),
    )


def stem_of(clip: Path) -> str:
    """The clip's name in letters that a file and an output may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", clip.stem)[:40].strip("_-") or "clip"


def _replayed(source: Source, frames: list[bytes]) -> Source:
    return dataclasses.replace(source, frames=iter(frames), frame_count=len(frames))


def _introduce(console: Console, clip: Path, source: Source, count: int, *, is_cut: bool) -> None:
    console.print("[bold]Telecine[/]: frames in, film out\n")
    rate = source.frame_rate or Fraction(0)
    console.print(
        f"{escape(clip.name)}: {count} frames of {source.width}x{source.height} at "
        f"{terminal.frame_rate_text(rate)} fps, {terminal.size_text(count * source.frame_bytes)} decoded"
    )
    if is_cut:
        console.print(f"[dim]the first {count} frames; --frames takes more[/]")
    if clip == BUNDLED_CLIP:
        console.print(f"[dim]{CREDIT}[/]")


def _show(
    console: Console, document: documents.EncodeDocument, verified: documents.VerifyDocument, out_dir: Path
) -> None:
    console.print()
    console.print(readable.artifact_table(document.artifacts))
    readable.print_problems(console, document.problems)
    readable.print_warnings(console, document.warnings)
    console.print(
        f"\nhand-off   [bold]{terminal.seconds_text(document.hand_off_seconds)}[/]: every frame was safe, "
        f"and a GPU worker would have gone on\n"
        f"total      [bold]{terminal.seconds_text(document.total_seconds)}[/]: every artifact encoded, read "
        f"back, downloaded and checked"
    )
    console.print("verified   ", end="")
    render_verification(console, verified)
    console.print(f"look at    {escape(str(out_dir))}/  (and manifest.json in it)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--clip", default=str(BUNDLED_CLIP), help="a video file of yours")
    parser.add_argument("--out-dir", default="demo-output", help="where the artifacts go")
    parser.add_argument("--frames", type=int, default=MAX_FRAMES, help="at most this many")
    return parser


if __name__ == "__main__":
    sys.exit(main())
