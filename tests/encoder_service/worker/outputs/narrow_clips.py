"""Encodes narrow clips in HEVC, whose encoder wrote past its memory: a program, as that is its death."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer

if __name__ == "__main__":
    for width in (16, 33, 34, 40, 47, 48, 50, 64, 66):
        for height in (16, 34, 48):
            for quality in ("draft", "high"):
                with tempfile.TemporaryDirectory() as place:
                    clip = gradient_clip(3, height, width)
                    run_writer(Path(place), clip, format="mp4", codec="hevc", quality=quality)
