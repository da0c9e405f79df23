"""A pipe with a name is read like the file that comes out of it; one that nobody writes into says so."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from telecine.cli.encode.sources import SourceError, open_source
from telecine.cli.encode.sources import pipe as pipes
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.request.frame_layout import FrameLayout
from telecine.request.options import PixelFormat


def fed(path: Path, data: bytes) -> threading.Thread:
    """A pipe, and somebody who writes into it once it is opened."""
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    thread.start()
    return thread


def test_a_clip_comes_out_of_a_pipe(tmp_path: Path, encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        client.encode(np.zeros((4, 16, 16, 3), np.uint8), fps=5, outputs="mkv", to=tmp_path)
    writer = fed(tmp_path / "pipe", (tmp_path / "mkv.mkv").read_bytes())
    source = open_source(str(tmp_path / "pipe"))
    assert str(tmp_path / "pipe") in source.description
    assert (source.frame_rate, sum(1 for _ in source.frames)) == (5, 4)
    writer.join(10)
    assert not list(Path(pipes.tempfile.gettempdir()).glob("telecine-pipe-*"))


def test_raw_frames_and_images_come_out_of_a_pipe_too(tmp_path: Path) -> None:
    data = bytes(range(48)) * 2
    fed(tmp_path / "raw", data)
    source = open_source(str(tmp_path / "raw"), FrameLayout(4, 4, PixelFormat.RGB24))
    assert b"".join(map(bytes, source.frames)) == data
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    fed(tmp_path / "image", (tmp_path / "a.png").read_bytes())
    assert next(iter(open_source(str(tmp_path / "image")).frames)).shape == (6, 8, 3)


def test_a_pipe_that_nobody_writes_into_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "WRITER_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="nobody wrote into this pipe") as caught:
        open_source(str(tmp_path / "pipe"))
    assert 'telecine encode -"' in caught.value.advice


def test_a_device_is_no_source() -> None:
    with pytest.raises(SourceError, match="no file, folder or pipe"):
        open_source("/dev/zero")
