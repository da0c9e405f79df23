"""The stand-ins beside the originals of the diffusers that is installed (`make compat`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from telecine.clients.embedded import EmbeddedServer

from encoder_service.worker.verification.verify import verify

pytestmark = pytest.mark.compat
_UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED."""

_columns, _rows = np.meshgrid(np.linspace(0, 1, 256), np.linspace(0, 1, 160))
CLIP = np.stack(
    [np.stack([_columns, _rows, np.full_like(_rows, step / 9)], axis=-1) for step in range(10)]
).astype(np.float32)
CODES = np.rint(CLIP * 255).astype(np.uint8)


@pytest.fixture
def installed(encoder: EmbeddedServer) -> Iterator[Any]:
    import telecine.compat.diffusers as t

    assert t.install(encoder.address, strict=True)
    yield t
    t.uninstall()
    t._settings.server, t._settings.is_strict = None, False


def _shown(path: str | Path, untagged: str = "ITU601") -> tuple[np.ndarray, Any]:
    """The frames as a player shows them: by their tags, or by what it assumes where there are none."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            frame.reformat(
                format="rgb24", src_colorspace=untagged if frame.colorspace == _UNSPECIFIED else None
            ).to_ndarray()
            for frame in container.decode(stream)
        ]
        return np.stack(frames), stream.average_rate


def _errors(path: str | Path) -> list[float]:
    """The mean errors in players that take what has no tags for BT.601, and for BT.709."""
    return [
        float(np.abs(_shown(path, untagged)[0].astype(int) - CODES).mean())
        for untagged in ("ITU601", "ITU709")
    ]


def _compare_colors(ours: str, theirs: str) -> None:
    mine, other = _errors(ours), _errors(theirs)
    assert mine[0] == mine[1] < min(other) + 0.1, "right in every player"
    assert max(other) > 3 * max(mine), "theirs depends on what the player assumes"


@pytest.mark.parametrize("kind", ["array", "list", "images"])
def test_the_published_example_changes_by_one_line(kind: str, installed: Any, tmp_path: Path) -> None:
    from diffusers.utils import export_to_video

    frames = {"array": CLIP, "list": list(CLIP), "images": [Image.fromarray(each) for each in CODES]}[kind]
    ours, theirs = str(tmp_path / "ours.mp4"), str(tmp_path / "theirs.mp4")
    assert export_to_video(frames, ours, fps=8) == ours
    installed.uninstall()
    from diffusers.utils import export_to_video as original

    assert original is not export_to_video
    assert original(frames, theirs, fps=8) == theirs
    assert verify(Path(ours)).is_sound
    (mine, rate), (other, other_rate) = _shown(ours), _shown(theirs)
    assert (mine.shape, rate) == (other.shape, other_rate)
    _compare_colors(ours, theirs)


def test_animations_last_as_long_as_the_originals(installed: Any, tmp_path: Path) -> None:
    from diffusers.utils import export_to_gif
    from diffusers.utils.export_utils import export_to_gif as by_the_other_path

    assert export_to_gif is by_the_other_path
    images = [Image.fromarray(each) for each in CODES]
    path = export_to_gif(images, str(tmp_path / "a.gif"), fps=10)
    installed.uninstall()
    from diffusers.utils import export_to_gif as original

    original(images, str(tmp_path / "b.gif"), fps=10)
    with Image.open(path) as mine, Image.open(tmp_path / "b.gif") as other:
        assert (mine.n_frames, mine.size, mine.info["duration"], mine.info["loop"]) == (
            other.n_frames, other.size, other.info["duration"], other.info["loop"],
        )  # fmt: skip


def test_tensors_in_chunks_with_sound_become_what_the_original_makes(installed: Any, tmp_path: Path) -> None:
    import torch
    from diffusers.utils import encode_video

    video = torch.from_numpy(CODES)
    audio = torch.sin(torch.linspace(0, 3000, 24_000)).repeat(2, 1) * 0.5
    ours, theirs = str(tmp_path / "ours.mp4"), str(tmp_path / "theirs.mp4")
    encode_video(iter(video.split(3)), 10, ours, audio, 24_000, video_chunks_number=4)
    installed.uninstall()
    from diffusers.utils import encode_video as original

    original(video, 10, theirs, audio, 24_000)
    assert verify(Path(ours)).is_sound
    _compare_colors(ours, theirs)
    for path in (ours, theirs):
        with av.open(path) as container:
            track = container.streams.audio[0]
            assert (track.codec.name, track.channels, track.sample_rate) == ("aac", 2, 24_000)


def test_what_a_script_bound_before_is_reported_by_its_name(encoder: EmbeddedServer) -> None:
    code = (
        "from diffusers.utils import export_to_video\n"
        "import telecine.compat.diffusers as t\n"
        f"t.install({encoder.address!r})\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "COMPAT_BOUND_BEFORE: __main__.export_to_video" in ran.stderr
