"""Turns torch tensors into code values on their own device, so that only small integers are copied off it.

torch is never imported here: a tensor's own methods suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from telecine.exceptions import InvalidFramesError
from telecine.frames.arrays import Array, OutOfRange
from telecine.frames.axes import Arrangement, Axes
from telecine.frames.device_copies import in_host_memory
from telecine.frames.yuv420_tensors import yuv420_of

_BLOCK_BYTES = 64 << 20
"""Largest intermediate on the device, in bytes, unless one frame needs more."""
_FLOATS = {"torch.bool", "torch.float16", "torch.bfloat16", "torch.float32", "torch.float64"}
_BITS = {"torch.uint8": 8, "torch.uint16": 16}


def is_tensor(frames: object) -> bool:
    """Whether it is a torch tensor (or of a subclass)."""
    kinds = type(frames).__mro__
    return any(kind.__name__ == "Tensor" and kind.__module__.split(".")[0] == "torch" for kind in kinds)


def tensor_bits(tensor: Any) -> int | None:
    """8 or 16 for integer samples, None for floats and truth values. Raises InvalidFramesError for others."""
    name = str(tensor.dtype)
    if name in _FLOATS:
        return None
    if name in _BITS:
        return _BITS[name]
    raise InvalidFramesError(
        f"frames have dtype {name}; expected uint8, uint16, bool or a float from 0 to 1 "
        "(for 0 to 255 in another integer type: frames.to(torch.uint8) after checking its range)"
    )


def tensor_blocks(
    tensor: Any, arrangement: Arrangement, bits: int, range_: OutOfRange, *, is_converting: bool = False
) -> Iterator[Array]:
    """Yields whole frames as C-contiguous uint8 or little-endian uint16, channels last, in host memory.

    Several frames at a time, as far as a bounded block goes; the values are those of `code_blocks`, or with
    `is_converting` (rgb24 alone) the bytes of yuv420p, made on the tensor's device. A contiguous uint8 tensor
    in host memory is not copied. Each block is valid until the next is asked for. Raises ValueRangeError.
    """
    blocks = _on_device(tensor, arrangement, bits, range_, is_converting=is_converting)
    for block in in_host_memory(blocks):
        if bits == 8:
            yield np.asarray(block.numpy())
        else:
            yield np.ascontiguousarray(block.numpy().astype("<u2"))


def _on_device(
    tensor: Any, arrangement: Arrangement, bits: int, range_: OutOfRange, *, is_converting: bool
) -> Iterator[Any]:
    frames = tensor.detach()
    frames = frames if arrangement.is_clip else frames.unsqueeze(0)
    if arrangement.axes is Axes.CHANNELS_FIRST:
        frames = frames.permute(0, 2, 3, 1)
    samples = max(1, frames[0].numel()) if len(frames) else 1
    step = max(1, _BLOCK_BYTES // (4 * samples))
    is_ready = str(frames.device) == "cpu" and str(frames.dtype) == "torch.uint8" and frames.is_contiguous()
    if is_ready and not is_converting:
        step = max(1, len(frames))
    for start in range(0, len(frames), step):
        block = frames[start : start + step]
        if tensor_bits(block) is None:
            block = _scale(block, bits, range_)
        block = block.byte() if bits == 8 else block.int()
        yield yuv420_of(block) if is_converting else block.contiguous()


def _scale(block: Any, bits: int, range_: OutOfRange) -> Any:
    """round(value * maximum) as float32, in range."""
    maximum = float((1 << bits) - 1)
    scaled = block.float().mul(maximum).round_()
    lowest, highest = (float(value) for value in scaled.aminmax())
    if lowest >= 0 and highest <= maximum:  # False for NaN too
        return scaled
    if range_.policy == "error":
        values = block.float()
        nan_samples = int(values.isnan().sum())
        known = values[~values.isnan()]
        extremes = (float(known.min()), float(known.max())) if known.numel() else (float("nan"),) * 2
        raise range_.refuse(extremes[0], extremes[1], nan_samples)
    range_.clipped_samples += int((~((scaled >= 0) & (scaled <= maximum))).sum())
    return scaled.nan_to_num_(nan=0.0, posinf=maximum, neginf=0.0).clamp_(0.0, maximum)
