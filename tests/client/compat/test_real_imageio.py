"""The plugin in the imageio that is installed (`make compat`)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import telecine.compat.imageio as t
from PIL import Image
from telecine.clients.embedded import EmbeddedServer
from telecine.exceptions import InvalidFramesError, InvalidRequestError

from encoder_service.worker.verification.verify import verify

pytestmark = pytest.mark.compat
FRAMES = np.random.default_rng(1).integers(0, 255, (5, 32, 48, 3), dtype=np.uint8)


@pytest.fixture
def iio(encoder: EmbeddedServer) -> Iterator[Any]:
    assert t.install(encoder.address)
    yield import_module("imageio.v3")
    t._server = None


def _count(source: Any) -> int:
    with av.open(source) as container:
        return sum(1 for _ in container.decode(video=0))


def test_one_call_writes_the_file_and_its_manifest(iio: Any, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    assert iio.imwrite(to, FRAMES, plugin="telecine", fps=16) is None
    assert verify(to).is_sound
    assert iio.imread(to, plugin="pyav").shape == FRAMES.shape
    iio.imwrite(tmp_path / "clip.webp", list(FRAMES), plugin=t.TelecinePlugin, fps="24000/1001")
    with Image.open(tmp_path / "clip.webp") as image:
        assert image.n_frames == 5


def test_frames_may_come_one_by_one(iio: Any, tmp_path: Path) -> None:
    with iio.imopen(tmp_path / "clip.mp4", "w", plugin="telecine") as file:
        for frame in FRAMES:
            file.write(frame, fps=12, is_batch=False)
        assert not (tmp_path / "clip.mp4").exists()
    assert _count(str(tmp_path / "clip.mp4")) == 5


def test_bytes_open_files_and_archives_are_written_too(iio: Any, tmp_path: Path) -> None:
    data = iio.imwrite("<bytes>", FRAMES, plugin="telecine", extension=".mp4")
    assert _count(io.BytesIO(data)) == 5
    with (tmp_path / "clip.mkv").open("wb") as file:
        iio.imwrite(file, FRAMES, plugin="telecine", extension=".mkv")
    assert _count(str(tmp_path / "clip.mkv")) == 5
    iio.imwrite(tmp_path / "all.zip" / "clip.mp4", FRAMES, plugin="telecine")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert _count(io.BytesIO(archive.read("clip.mp4"))) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "clip.mkv"]


def test_what_cannot_be_written_is_an_error_and_leaves_nothing(iio: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError):
        iio.imwrite(tmp_path / "clip.avi", FRAMES, plugin="telecine")
    with pytest.raises(InvalidFramesError):
        iio.imwrite(tmp_path / "clip.mp4", FRAMES.astype(np.int64), plugin="telecine")
    with suppress(KeyboardInterrupt), iio.imopen(tmp_path / "clip.mp4", "w", plugin="telecine") as file:
        file.write(FRAMES)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="can not handle"):
        iio.imread(__file__, plugin="telecine")
