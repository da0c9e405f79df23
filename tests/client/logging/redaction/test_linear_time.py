"""No text takes redaction more time per byte because it is longer, whatever it is made of."""

from __future__ import annotations

import os
import random
import time

import pytest
from telecine.logging.redaction import Redactor

from tests.client.logging.redaction.shapes import combined_shapes, shapes

REDACTOR = Redactor()
_SMALL_BYTES = 1 << 10
_LARGE_BYTES = 48 << 10
_SECONDS_PER_BYTE = 60e-6
"""Far above what any shape takes on a slow machine, far below what a quadratic one takes."""
_RATIO = 6.0
_EVERY = 3
"""Neighbours are alike; all of them were searched when the rules were made."""
_EVERY_COMBINED = 61
"""Shares no factor with the lengths of the lists that are combined, so that each part meets many others."""
_SUSPECT_SECONDS_PER_BYTE = 5e-6


def seconds_per_byte(piece: str, size: int, rounds: int) -> float:
    text = piece * max(1, size // len(piece))
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        REDACTOR.redact_text(text)
        best = min(best, time.process_time() - begin)
    return best / len(text)


def test_time_per_byte_is_flat_for_every_shape_that_the_rules_suggest() -> None:
    """One pass finds suspects cheaply; these alone are measured against their own beginning."""
    slow = []
    for name, piece in list(shapes())[::_EVERY]:
        large = seconds_per_byte(piece, _LARGE_BYTES // 8, 1)
        if large < 2e-6:
            continue
        small = max(seconds_per_byte(piece, _SMALL_BYTES, 3), 0.5e-6)
        ratio = seconds_per_byte(piece, _LARGE_BYTES, 1) / small
        if ratio > _RATIO and seconds_per_byte(piece, _LARGE_BYTES, 3) > _RATIO * small:
            slow.append((name, ratio))
    assert not slow


def growth(piece: str) -> float:
    """How much more a byte costs in a text that is twelve times as long."""
    small = max(seconds_per_byte(piece, _LARGE_BYTES // 12, 2), 0.5e-6)
    ratio = seconds_per_byte(piece, _LARGE_BYTES, 1) / small
    return ratio if ratio < 3 else min(ratio, seconds_per_byte(piece, _LARGE_BYTES, 2) / small)


@pytest.mark.parametrize("first", range(4))
def test_time_per_byte_is_flat_where_one_rule_begins_in_what_another_reads(first: int) -> None:
    chosen = list(combined_shapes())[first * 11 :: 4 * _EVERY_COMBINED]
    suspects = [
        (name, piece)
        for name, piece in chosen
        if seconds_per_byte(piece, _LARGE_BYTES // 6, 1) > _SUSPECT_SECONDS_PER_BYTE
    ]
    assert [name for name, piece in suspects if growth(piece) > 3] == []


@pytest.mark.parametrize(
    "piece",
    [
        "['--token', 'aaaa-----BEGIN PRIVATE " + "KEY-----",
        *("passwd\t{", "passwd\t{\u200b", "AKIApasswd\t{", "passwd|", "tokens=", "tokens=[", "tokens: ["),
        *("tokens: |\n  ", "tok=", ":password> ", 'name="password">x y ', "authorization\tdigest "),
        *("cookie\ta=b ", "password,a\n"),
        *(
            "password\\n",
            "\\",
            "\\r\\n\\t",
            "password:#015#012",
            '"password\\"]=>\\n',
            "&#10;token=",
            "\\u000atoken:",
        ),
    ],
)
def test_a_beginning_without_an_end_is_followed_once(piece: str) -> None:
    """Each of them took time by the square of its length: 20 s for 40 KB of `password,a`."""
    assert growth(piece) < 3


@pytest.mark.parametrize("seed", range(8))
def test_mixed_shapes_are_as_cheap_as_pure_ones(seed: int) -> None:
    chosen = random.Random(seed).sample([piece for _, piece in shapes()], 6)
    text = "".join(chosen)
    assert seconds_per_byte(text, 1 << 16, 1) < _SECONDS_PER_BYTE


@pytest.mark.parametrize(
    "piece",
    ["AKIA" + "ABCDEFGHIJKLMNOP", "npm_" + "a1B2c3D4e5F6g7H8i9J0" * 2, "eyJ", "sk-", "4111 ", "password=x "],
)
def test_a_megabyte_takes_a_thousand_times_what_a_kilobyte_takes(piece: str) -> None:
    small = min(seconds_per_byte(piece, 4 << 10, 3), seconds_per_byte(piece, 16 << 10, 2))
    assert seconds_per_byte(piece, 1 << 20, 1) < _RATIO * small


def test_a_search_never_holds_the_interpreter_for_long() -> None:
    """A thread that searches a megabyte lets others in between: it is searched by windows."""
    import sys
    import threading

    text = "the quick brown fox jumps over 12 lazy dogs. " * 23_000 + "password=hunter2x"
    worst, done = 0.0, threading.Event()

    def search() -> None:
        REDACTOR.redact_text(text)
        done.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        threading.Thread(target=search).start()
        while not done.is_set():
            begin = time.perf_counter()
            os.sched_yield()
            worst = max(worst, time.perf_counter() - begin)
    finally:
        sys.setswitchinterval(before)
    assert worst < 0.5
