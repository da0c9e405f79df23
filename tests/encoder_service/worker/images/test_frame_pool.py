"""Frames come back in order, and never more of them are held than was said."""

from __future__ import annotations

import random
import threading

import pytest

from encoder_service.worker.images.frame_pool import FramePool


def test_results_come_in_the_order_of_the_frames() -> None:
    pool: FramePool[int] = FramePool(4)
    gates = [threading.Event() for _ in range(20)]
    order = list(range(20))
    random.Random(5).shuffle(order)
    opener = threading.Thread(target=lambda: [gates[index].set() for index in order])
    opener.start()

    def work(index: int) -> int:
        gates[index].wait()
        return index

    done = []
    for index in range(20):
        done += pool.submit(lambda index=index: work(index))
    done += list(pool.drain())
    pool.close()
    opener.join()
    assert done == list(range(20))


def test_no_more_frames_are_held_than_threads_and_one_waiting() -> None:
    pool: FramePool[int] = FramePool(2)
    held = 0
    for index in range(30):
        held += 1
        held -= len(pool.submit(lambda index=index: index))
        assert held <= 3
    pool.close()


def test_an_error_is_raised_where_its_frame_was_due() -> None:
    pool: FramePool[float] = FramePool(1)
    pool.submit(lambda: 1 / 2)
    pool.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(pool.drain())
    pool.close()
    pool.close()
