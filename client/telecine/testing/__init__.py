"""Helps to test programs that use Telecine: a real encoder service, small and private.

    import pytest
    import telecine
    from telecine.testing import draw_clip, encoder_server

    @pytest.fixture(scope="session")
    def encoder():
        with encoder_server() as server:
            yield server

    def test_my_worker_saves_its_clip(encoder, tmp_path):
        with telecine.Client(encoder.address) as client:
            result = client.encode(draw_clip(), fps=8, outputs=["mp4"], to=tmp_path)
        assert result["mp4"].local_path.exists()

It needs the [encoder] extra.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from telecine.clients.embedded import EmbeddedServer

SMALL = {
    "workers": "2",
    "threads_per_worker": "1",
    "worker_niceness": "0",
    "min_free_bytes": "0",
    "host.drain_seconds": "1",
    "host.stop_grace_seconds": "0.5",
}
"""Settings of a service that starts and ends fast."""


@contextmanager
def encoder_server(
    data_dir: str | Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedServer]:
    """Runs a real encoder service on a free port while the block lasts; connect to its `address`.

    It is a child program with the real codecs, and ends with this process even if that is killed.
    `data_dir`: where jobs are kept; None: a temporary directory. `settings`: any settings of the service,
    on top of `SMALL`; None: only those.
    """
    with EmbeddedServer(data_dir, settings={**SMALL, **(settings or {})}) as server:
        yield server


def draw_clip(frames: int = 12, width: int = 64, height: int = 48) -> npt.NDArray[np.uint8]:
    """Draws a clip whose frames all differ: moving gradients.

    Args:
        frames: How many frames.
        width: Pixels.
        height: Pixels.

    Returns:
        A uint8 array of shape (frames, height, width, 3).
    """
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    channels = (x * 255 // max(1, width - 1) + 5 * t, y * 255 // max(1, height - 1) + 3 * t, x + y + 7 * t)
    return np.stack([channel % 256 for channel in channels], axis=-1).astype(np.uint8)
