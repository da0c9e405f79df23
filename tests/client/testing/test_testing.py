"""The module for users' tests does what its own example shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import telecine
from telecine.testing import draw_clip, encoder_server


def test_the_example_works(tmp_path: Path) -> None:
    with encoder_server() as server, telecine.Client(server.address) as client:
        result = client.encode(draw_clip(), fps=8, outputs=["mp4"], to=tmp_path)
        assert result["mp4"].local_path.exists()
    assert not server.is_running


def test_a_drawn_clip_is_always_the_same_and_moves() -> None:
    clip = draw_clip(5, 32, 16)
    assert clip.shape == (5, 16, 32, 3)
    assert clip.dtype == np.uint8
    np.testing.assert_array_equal(clip, draw_clip(5, 32, 16))
    assert len({frame.tobytes() for frame in clip}) == 5
