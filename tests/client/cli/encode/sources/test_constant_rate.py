"""Times become a constant rate as FFmpeg's fps filter has it, at a rate that fits them."""

from __future__ import annotations

import random
from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from telecine.cli.encode.sources.constant_rate import (
    ConstantRate,
    RatePlan,
    Timed,
    TooManyRepeatsError,
    plan_rate,
)

MS = Fraction(1, 1000)
NTSC = Fraction(30000, 1001)


def rounded(rate: Fraction | int, count: int = 200) -> list[int]:
    return [round(n * 1000 / Fraction(rate)) for n in range(count)]


@pytest.mark.parametrize(
    ("ticks", "stated", "rate"),
    [
        (rounded(24), [24], 24),
        (rounded(24), [], 24),
        (rounded(Fraction(24000, 1001), 3000), [], Fraction(24000, 1001)),
        (rounded(30, 3000), [NTSC, 25, 1000], 30),  # tags that lie
        ([1000 + tick for tick in rounded(60)], [60], 60),
        (rounded(Fraction(35, 2)), [90000], Fraction(35, 2)),
        ([-40, 0, 40, 80], [25], 25),
        ([0], [25], 25),
    ],
)
def test_an_even_clip_has_its_rate_whatever_its_tags_say(
    ticks: list[int], stated: list[int], rate: Fraction
) -> None:
    plan = plan_rate(ticks, MS, 0, [Fraction(each) for each in stated])
    assert plan is not None
    assert (round(plan.rate, 2), plan.is_constant, plan.frame_count) == (round(rate, 2), True, len(ticks))


@pytest.mark.parametrize(
    ("ticks", "last", "stated", "rate", "frames"),
    [
        ([0, 100, 200, 500, 800], 100, [], 10, 9),
        ([0, 200, 500], 100, [], 10, 6),
        ([n * 100 for n in range(10)], 900, [10], 10, 18),  # a pause at its end
        ([0, 33, 67, 133, 167, 200], 33, [Fraction(26)], 30, 7),  # one picture is missing
        ([0, 1000, 3000], 1000, [Fraction(90000), Fraction(1)], 1, 4),
        ([n * 40 for n in range(200)] + [8001], 40, [25], 25, 201),  # the last one is 1 ms late
    ],
)
def test_an_uneven_clip_has_the_lowest_rate_that_shows_its_times(
    ticks: list[int], last: int, stated: list[int], rate: int, frames: int
) -> None:
    plan = plan_rate(ticks, MS, last, [Fraction(each) for each in stated])
    assert plan is not None
    assert (plan.rate, plan.frame_count) == (rate, frames)


@pytest.mark.parametrize(
    ("ticks", "stated"), [([], [24]), ([5, 5, 5], [24]), ([0], []), ([0], [Fraction(10**9)])]
)
def test_times_that_say_nothing_make_no_plan(ticks: list[int], stated: list[int]) -> None:
    plan = plan_rate(ticks, MS, 0, [Fraction(each) for each in stated])
    assert plan is None or (not ticks and plan.frame_count == 0)


@pytest.mark.parametrize("gap", [1 << 40, (1 << 62)])
def test_times_that_are_damaged_are_an_error_before_anything_is_made(gap: int) -> None:
    with pytest.raises(TooManyRepeatsError, match="repeated pictures"):
        plan_rate([0, 40, 80, gap], MS, 40, [Fraction(25)])


def by_ffmpeg(ticks: list[int], last: int, rate: Fraction) -> list[int]:
    """What FFmpeg's fps filter makes of pictures 0, 1, 2 …, by their numbers."""
    graph = Graph()
    source = graph.add_buffer(width=16, height=16, format="gray", time_base=MS)
    graph.link_nodes(
        source, graph.add("fps", f"fps={rate}:start_time=0"), graph.add("buffersink")
    ).configure()
    shown = []
    for number, tick in enumerate(ticks):
        picture = av.VideoFrame.from_ndarray(np.full((16, 16), number, np.uint8), "gray")
        picture.pts, picture.time_base = tick, MS
        picture.duration = last if number == len(ticks) - 1 else 0
        graph.push(picture)
    graph.push(None)
    while True:
        try:
            shown.append(int(graph.pull().to_ndarray()[0, 0]))
        except (av.error.EOFError, av.error.BlockingIOError):
            return shown


@pytest.mark.parametrize("rate", [Fraction(10), Fraction(25), NTSC, Fraction(60)])
@pytest.mark.parametrize("seed", range(4))
def test_pictures_are_repeated_and_dropped_as_ffmpeg_does(rate: Fraction, seed: int) -> None:
    draw = random.Random(seed)
    ticks = [0]
    for _ in range(100):
        ticks.append(ticks[-1] + draw.choice([3, 17, 33, 34, 40, 41, 120, 333]))
    timed = [Timed(number, tick * MS) for number, tick in enumerate(ticks)]
    plan = RatePlan(rate, Fraction(0), is_constant=False, frame_count=0, last_seconds=80 * MS)
    steady: ConstantRate[int] = ConstantRate(plan)
    made = list(steady.arrange(iter(timed)))
    assert made == by_ffmpeg(ticks, 80, rate)
    assert (steady.pictures, steady.frames) == (101, len(made))
    assert steady.dropped == 101 - len(set(made))
    assert steady.repeated == len(made) - len(set(made))
    assert steady.most_off_seconds <= Fraction(1, 2) / rate


def test_a_clock_that_goes_back_costs_no_picture_and_a_missing_time_follows_the_one_before() -> None:
    steady: ConstantRate[int] = ConstantRate(RatePlan(Fraction(10), Fraction(5), True, 0))
    times = [5.0, 5.1, 5.2, 1.0, 1.1, None, 1.3]
    timed = [Timed(n, None if at is None else Fraction(str(at))) for n, at in enumerate(times)]
    assert list(steady.arrange(iter(timed))) == list(range(7))
    assert (steady.resets, steady.dropped, steady.repeated, steady.begins_at) == (1, 0, 0, 5)


def test_a_gap_found_only_while_decoding_has_its_bound_too() -> None:
    steady: ConstantRate[int] = ConstantRate(RatePlan(Fraction(25), Fraction(0), True, 0))
    with pytest.raises(TooManyRepeatsError):
        list(steady.arrange(iter([Timed(0, Fraction(0)), Timed(1, Fraction(1 << 40))])))
