"""diffusers' `export_to_video` against the stand-in for it: colour, the file, and when the GPU is free.

Without diffusers (`make compat` makes an environment that has it) the row says so and measures nothing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import av
import numpy as np
from telecine import Client, Output

from benchmarks.clips import decoded
from benchmarks.context import FPS, Context, temporary_directory, warm_service
from benchmarks.measure import Figures, Finding, interleaved, times_faster

_UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED: the player assumes something."""
_CRF = 25
"""What quality 5, the default, means to imageio."""


def measure(context: Context) -> list[Finding]:
    """The model's clip as floats, as pipelines return it."""
    if find_spec("diffusers") is None or find_spec("imageio") is None:
        return [Finding("diffusers", "not installed", "-", "-", "-", "-", None)]
    from diffusers.utils.export_utils import export_to_video

    clip = decoded(context.model, "rgb24")
    shape = clip.shape
    codes = np.fromfile(clip.path, np.uint8).reshape(-1, shape.height, shape.width, 3)
    frames = (codes / np.float32(255)).astype(np.float32)
    with warm_service() as (server, client), temporary_directory() as directory:
        ours_path, peer_path = directory / "ours.mp4", directory / "peer.mp4"
        measured = interleaved(
            {
                "telecine": lambda: _ours(server.address, client, frames, ours_path),
                "diffusers": lambda: _timed(export_to_video, list(frames), str(peer_path)),
            },
            min(context.rounds, 3),
        )
        errors = {path: _errors(path, codes) for path in (ours_path, peer_path)}
    ours, peer = measured["telecine"], measured["diffusers"].median("seconds")
    case = f"{shape.name}, {shape.frame_count} frames of floats"
    colors = (
        f"mean error in players that assume BT.601 / BT.709: {_text(errors[ours_path])}; "
        f"original {_text(errors[peer_path])}"
    )
    return [
        times_faster("diffusers: GPU free", case, ours.median("free_seconds"), peer, 1.0, note=colors),
        times_faster("diffusers: file there", case, ours.median("seconds"), peer, 0.8),
    ]


def _timed(function: Any, frames: Any, path: str) -> Figures:
    begin = perf_counter()
    function(frames, path, fps=FPS)
    return {"seconds": perf_counter() - begin}


def _ours(address: str, client: Client, frames: Any, path: Path) -> Figures:
    import telecine.compat.diffusers as stand_in

    stand_in.install(address, strict=True)
    try:
        figures = _timed(stand_in.export_to_video, frames, str(path))
    finally:
        stand_in.uninstall()
    begin = perf_counter()
    with client.open_job(fps=FPS, outputs=Output("mp4", crf=_CRF)) as job:
        job.push(frames)
        job.finish()
        free = perf_counter() - begin
        job.result()
    return {**figures, "free_seconds": free}


def _errors(path: Path, codes: Any) -> list[tuple[float, float]]:
    """Mean and largest mean of a pixel's place, in players that assume BT.601 and BT.709."""
    return [_error(path, codes, assumed) for assumed in ("ITU601", "ITU709")]


def _error(path: Path, codes: Any, assumed: str) -> tuple[float, float]:
    differences = []
    with av.open(str(path)) as container:
        for frame, sent in zip(container.decode(video=0), codes, strict=True):
            source = assumed if frame.colorspace == _UNSPECIFIED else None
            shown = frame.reformat(format="rgb24", src_colorspace=source).to_ndarray()
            shown = shown[: sent.shape[0], : sent.shape[1]]
            differences.append(np.abs(shown.astype(np.int16) - sent))
    stacked = np.stack(differences)
    return float(stacked.mean()), float(np.percentile(stacked, 99.9))


def _text(errors: list[tuple[float, float]]) -> str:
    return " / ".join(f"{mean:.1f} (99.9 %: {most:.0f})" for mean, most in errors)
