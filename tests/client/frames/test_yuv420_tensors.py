"""Tensors are converted on their own device, with the values of the CPU's conversion."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from telecine.frames.reader import FrameReader
from telecine.frames.yuv420 import Yuv420Converter

pytestmark = pytest.mark.compat
DEVICES = ["cpu", "cuda"]


def _torch_for(device: str) -> Any:
    torch = import_module("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    return torch


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 5), (6, 4), (33, 47), (64, 48), (480, 832)])
def test_every_size_has_the_same_bytes(size: tuple[int, int], device: str) -> None:
    torch = _torch_for(device)
    height, width = size
    frames = np.random.default_rng(height).integers(0, 256, (5, height, width, 3), dtype=np.uint8)
    frames[0], frames[1] = 0, 255
    converter = Yuv420Converter(width, height)
    expected = b"".join(converter.convert(frame).tobytes() for frame in frames)
    for tensor, layout in (
        (torch.from_numpy(frames), "auto"),
        (torch.from_numpy(frames).permute(0, 3, 1, 2), "TCHW"),
        (torch.from_numpy(frames / 255).float(), "auto"),
        (torch.from_numpy(frames / 255).half(), "auto"),
    ):
        reader = FrameReader(convert_to="yuv420p", layout=layout)
        if layout == "auto" and size == (1, 1):
            reader = FrameReader(convert_to="yuv420p", layout="THWC")
        sent = b"".join(bytes(block) for block in reader.blocks(tensor.to(device)))
        if tensor.dtype == torch.float16:
            found, wanted = (np.frombuffer(each, np.uint8).astype(int) for each in (sent, expected))
            assert np.abs(found - wanted).max() <= 1
        else:
            assert sent == expected


@pytest.mark.parametrize("device", DEVICES)
def test_clips_longer_than_a_block_arrive_whole_and_in_order(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = _torch_for(device)
    monkeypatch.setattr("telecine.frames.tensors._BLOCK_BYTES", 100_000)
    codes = torch.arange(40, dtype=torch.uint8).reshape(40, 1, 1, 1).expand(40, 48, 64, 3)
    for frames in (codes, codes.float() / 255, codes.clone()):
        reader = FrameReader()
        blocks = [bytes(block) for block in reader.blocks(frames.to(device))]
        assert b"".join(blocks) == codes.contiguous().numpy().tobytes()
        converted = b"".join(
            bytes(block) for block in FrameReader(convert_to="yuv420p").blocks(frames.to(device))
        )
        lumas = np.frombuffer(converted, np.uint8).reshape(40, -1)[:, 0]
        assert (np.diff(lumas.astype(int)) >= 0).all()
        assert lumas[-1] > lumas[0]
