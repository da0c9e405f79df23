"""The window over the records: bounded whatever comes, contiguous, and each item keeps its number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.log_view.record_view import Gap, Item, RecordView
from telecine.log_view.record_window import RecordWindow, WindowLimits
from telecine.logging.catalogue import Level


def records(first: int, end: int, size: int = 10) -> list[Item]:
    return [RecordView(str(n).zfill(size).encode(), f"t{n}", Level.INFO) for n in range(first, end)]


def shown(window: RecordWindow) -> list[int]:
    return [int(item.line) for item in window if isinstance(item, RecordView)]


def window_of(limit: int) -> RecordWindow:
    return RecordWindow(WindowLimits(records=limit))


def test_a_following_window_holds_the_newest() -> None:
    window = window_of(5)
    window.add(records(0, 8))
    assert shown(window) == [3, 4, 5, 6, 7]
    assert (window.first_number, window.end_number) == (3, 8)
    assert window.item(2) is None
    assert window.item(3) == records(3, 4)[0]


def test_the_size_is_bounded_in_bytes_too() -> None:
    window = RecordWindow(WindowLimits(records=1000, size_bytes=10_000))
    window.add(records(0, 100, size=1000))
    assert shown(window) == list(range(92, 100))
    assert window.size_bytes <= 10_000


def test_one_record_is_shown_however_large_it_is() -> None:
    window = RecordWindow(WindowLimits(size_bytes=100))
    window.add(records(0, 3, size=1000))
    assert shown(window) == [2]


def test_a_paused_window_stands_still_and_goes_on_where_it_was() -> None:
    window = window_of(10)
    window.add(records(0, 3))
    window.pause()
    window.add(records(3, 5))
    assert shown(window) == [0, 1, 2]
    assert window.waiting_count == 2
    assert window.follow()
    assert shown(window) == [0, 1, 2, 3, 4]
    assert window.waiting_count == 0


def test_after_a_long_pause_no_hole_is_shown() -> None:
    window = window_of(5)
    window.add(records(0, 3))
    window.pause()
    window.add(records(3, 100))
    assert window.waiting_count == 97
    assert window.follow()
    assert shown(window) == [95, 96, 97, 98, 99]


def test_older_pages_come_before_and_what_is_shown_keeps_its_number() -> None:
    window = window_of(10)
    window.add(records(0, 3))
    window.add_older(records(-4, 0))
    assert window.is_paused
    assert window.item(0) == records(0, 1)[0]
    assert window.item(-4) == records(-4, -3)[0]
    assert not window.is_detached
    assert window.follow()
    assert shown(window) == list(range(-4, 3))


def test_scrolling_far_back_lets_the_newest_go_and_following_begins_anew() -> None:
    window = window_of(5)
    window.add(records(0, 5))
    window.add_older(records(-3, 0))
    assert shown(window) == [-3, -2, -1, 0, 1]
    assert window.item(1) == records(1, 2)[0]
    assert window.is_detached
    window.add(records(5, 6))
    assert not window.follow()
    assert shown(window) == []
    assert not window.is_detached
    window.add(records(3, 7))
    assert shown(window) == [3, 4, 5, 6]


def test_a_page_larger_than_the_window_keeps_its_oldest_end() -> None:
    window = window_of(3)
    window.add(records(0, 3))
    window.add_older(records(-10, 0))
    assert shown(window) == [-10, -9, -8]
    assert window.is_detached


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "older", "pause", "follow"]), st.integers(0, 12)), max_size=30
)


@given(STEPS, st.integers(1, 8))
def test_whatever_happens_it_is_bounded_and_without_a_hole(steps: list[tuple[str, int]], limit: int) -> None:
    window = window_of(limit)
    newest = oldest = 0
    for step, count in steps:
        if step == "add":
            window.add(records(newest, newest + count))
            newest += count
        elif step == "older":
            oldest = shown(window)[0] if shown(window) else newest
            window.add_older(records(oldest - count, oldest))
        elif step == "pause":
            window.pause()
        else:
            window.follow()
        numbers = shown(window)
        assert len(numbers) <= limit
        assert window.size_bytes <= 2 * limit * 300
        assert numbers == sorted(set(numbers))
        if not numbers:
            continue
        assert numbers[-1] - numbers[0] == len(numbers) - 1
        for number in range(window.first_number, window.end_number):
            item = window.item(number)
            assert isinstance(item, RecordView)
            assert int(item.line) - numbers[0] == number - window.first_number


def test_gaps_are_items_and_no_records() -> None:
    window = window_of(5)
    window.add([*records(0, 2), Gap(7, "they came too fast"), *records(9, 10)])
    assert len(window) == 4
    assert [type(item) for item in window] == [RecordView, RecordView, Gap, RecordView]


@pytest.mark.parametrize("limits", [{"records": 0}, {"size_bytes": 0}])
def test_a_window_that_can_hold_nothing_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must hold 1 record"):
        WindowLimits(**limits)
