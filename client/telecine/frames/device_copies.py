"""Copies blocks of a tensor off their GPU, through pinned memory, while the next one is computed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any


def in_host_memory(blocks: Iterable[Any]) -> Iterator[Any]:
    """Yields the tensors in host memory, in order; each is valid until the next is asked for.

    Of tensors on a GPU the next copy runs while the caller uses this one; they may have different sizes.
    """
    copies: _Copies | None = None
    waiting: _Copy | None = None
    for block in blocks:
        if not block.is_cuda:
            yield block.cpu()
            continue
        copies = copies or _Copies(block.device)
        following = copies.begin(block)
        if waiting is not None:
            yield waiting.done()
        waiting = following
    if waiting is not None:
        yield waiting.done()


class _Copies:
    """Two pinned buffers that take turns: one is read by the caller while the other is filled."""

    def __init__(self, device: Any) -> None:
        self._cuda, self._torch = sys.modules["torch"].cuda, sys.modules["torch"]
        self._device = device
        self._stream = self._cuda.Stream(device)
        self._buffers: list[Any] = [None, None]

    def begin(self, block: Any) -> _Copy:
        self._buffers.reverse()
        buffer = self._buffers[0]
        if buffer is None or buffer.numel() < block.numel() or buffer.dtype != block.dtype:
            buffer = self._torch.empty(block.numel(), dtype=block.dtype, pin_memory=True)
            self._buffers[0] = buffer
        target = buffer[: block.numel()].view(block.shape)
        self._stream.wait_stream(self._cuda.current_stream(self._device))
        with self._cuda.stream(self._stream):
            target.copy_(block, non_blocking=True)
            # Its memory must not be given to another tensor while it is read on this stream.
            block.record_stream(self._stream)
            event = self._stream.record_event()
        return _Copy(target, event)


class _Copy:
    def __init__(self, target: Any, event: Any) -> None:
        self._target, self._event = target, event

    def done(self) -> Any:
        self._event.synchronize()
        return self._target
