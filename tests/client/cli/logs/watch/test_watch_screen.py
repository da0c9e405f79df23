"""The screen of `telecine logs watch`, driven by its keys against a real collector."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from telecine import LogFilter
from telecine.cli.logs.source import open_source
from telecine.cli.logs.watch.app import WatchApp
from telecine.cli.logs.watch.record_list import RecordList
from telecine.cli.logs.watch.story_screen import StoryScreen
from telecine.log_view.filter_text import parse_filter
from telecine.log_view.record_source import WatchedPlace
from telecine.log_view.record_window import WindowLimits
from telecine.logging.outputs.rendering import local_time
from textual.pilot import Pilot

from tests.eventually import eventually, eventually_async
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, record, ship

STACK = 'Traceback (most recent call last):\n  File "submit.py", line 7\nTimeoutError: 30 s'
RECORDS = [
    record(1, job_id="j", msg="job begins", stage="pipeline:start", logger="app.main"),
    record(2, level="DEBUG", msg="cache is warm", logger="app.cache"),
    record(3, job_id="j", level="WARNING", msg="slow answer", stage="provider:status", duration_ms=900),
    record(4, job_id="j", level="ERROR", msg="submit failed", stage="provider:error", stack=STACK),
    record(5, service="api", msg="[bold]GET[/] /jobs", request_id="r-1"),
    record(6, level="CRITICAL", msg="disk is gone", service="api"),
]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    running = CollectorProcess(tmp_path_factory.mktemp("collector") / "data").start()
    old = [record(n, service="old", timestamp=f"2026-11-20T00:00:00.{n:06d}Z") for n in range(1, 2001)]
    asyncio.run(ship(running.address, batch(1, old, producer="old")))
    asyncio.run(ship(running.address, batch(1, RECORDS)))
    source = open_source(running.address, None)
    eventually(lambda: source.stats()["sinks"][0]["delivered"] == 2006)
    source.close()
    yield running
    running.stop()


class Screen:
    """What somebody who sits before it sees."""

    def __init__(self, app: WatchApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def text(self) -> str:
        """Every character on the screen, line by line."""
        lines = self.app.screen._compositor.render_strips(self.app.screen.size)
        return "\n".join("".join(segment.text for segment in line) for line in lines)

    def rows(self) -> list[str]:
        """The records on the screen, without those of yesterday."""
        return [line for line in self.text().splitlines() if line[2:].startswith("2026-11-21 ")]

    def has_focus_on_records(self) -> bool:
        return isinstance(self.app.focused, RecordList)

    async def sees(self, *texts: str) -> None:
        await eventually_async(lambda: all(text in self.text() for text in texts), says=f"{texts}")

    async def holds(self, condition: Callable[[], bool]) -> None:
        await eventually_async(condition, says=self.text())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def types(self, text: str) -> None:
        names = {" ": "space", ":": "colon", ">": "greater_than_sign", "_": "underscore", "*": "asterisk"}
        await self.press("slash", *(names.get(char, char) for char in text))


@contextlib.asynccontextmanager
async def watching(
    place: WatchedPlace, wanted: LogFilter | None = None, size: tuple[int, int] = (120, 30), keep: int = 1000
) -> AsyncIterator[Screen]:
    app = WatchApp(place, wanted or LogFilter(), last=50, limits=WindowLimits(records=keep))
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Screen(app, pilot)


def server_of(collector: CollectorProcess) -> WatchedPlace:
    address = collector.address
    return WatchedPlace(address, lambda seconds: open_source(address, None, seconds), has_counters=True)


def files_of(collector: CollectorProcess) -> WatchedPlace:
    root: Path = collector.data_dir
    return WatchedPlace(str(root), lambda seconds: open_source(None, root, seconds), has_counters=False)


@pytest.mark.parametrize("place_of", [server_of, files_of])
async def test_it_shows_the_newest_records_and_how_many_there_are(collector, place_of) -> None:
    async with watching(place_of(collector)) as screen:
        await screen.sees("● live", "FOLLOWING", "job begins", "disk is gone", "50 of 50 held")
        assert "CRITICAL 1  ERROR 1  WARNING 1  INFO 46  DEBUG 1" in screen.text()
        assert "[bold]GET[/] /jobs n=5 request_id=r-1" in screen.text()
        assert screen.rows()[-1].startswith("› ")


@pytest.mark.parametrize(
    ("key", "messages"),
    [
        ("e", ["submit failed", "disk is gone"]),
        ("w", ["slow answer"]),
        ("d", ["cache is warm"]),
        ("i", ["job begins", "GET"]),
    ],
)
async def test_one_key_leaves_only_records_of_a_level(collector, key: str, messages: list[str]) -> None:
    async with watching(server_of(collector), parse_filter("polled")) as screen:
        await screen.sees("50 of 50 held")
        assert not screen.rows()
    async with watching(server_of(collector)) as screen:
        await screen.sees("50 of 50 held")
        await screen.press(key)
        await screen.holds(lambda: len(screen.rows()) == len(messages))
        assert all(text in row for text, row in zip(messages, screen.rows(), strict=True))
        await screen.press("a")
        await screen.holds(lambda: len(screen.rows()) == 6)


async def test_the_filter_works_while_it_is_typed(collector) -> None:
    async with watching(server_of(collector)) as screen:
        await screen.sees("50 of 50 held")
        await screen.types("service:api")
        await screen.holds(lambda: len(screen.rows()) == 2)
        await screen.press(*" gone".replace(" ", "_")[1:])
        await screen.holds(lambda: screen.rows() == [])
        await screen.press(*["backspace"] * 4)
        await screen.holds(lambda: len(screen.rows()) == 2)
        await screen.press("enter")
        assert screen.has_focus_on_records()


async def test_half_a_filter_is_explained_and_the_last_whole_one_stays(collector) -> None:
    async with watching(server_of(collector), parse_filter("service:worker")) as screen:
        await screen.holds(lambda: len(screen.rows()) == 4)
        await screen.types(" level:wa")
        await screen.sees("level:wa is no level; write debug, info, warning, error or critical")
        assert len(screen.rows()) == 4
        await screen.press("r", "n")
        await screen.holds(lambda: len(screen.rows()) == 2)
        assert "is no level" not in screen.text()


async def test_a_record_is_opened_with_its_fields_and_stack(collector) -> None:
    async with watching(server_of(collector), parse_filter("job:j level:error")) as screen:
        await screen.sees("submit failed")
        await screen.press("enter")
        await screen.sees('File "submit.py", line 7', "TimeoutError: 30 s", "Correlates one job", "PAUSED")
        await screen.press("escape")
        await screen.holds(lambda: "submit.py" not in screen.text())


async def test_the_jobs_story_is_shown_and_left_again(collector) -> None:
    async with watching(server_of(collector), parse_filter("job:j level:error")) as screen:
        await screen.sees("submit failed")
        await screen.press("s")
        await screen.sees("3 of 3 records arrived, 1 errors", "provider:status", "900 ms", "job begins")
        assert isinstance(screen.app.screen, StoryScreen)
        await screen.press("end", "enter")
        await screen.sees("TimeoutError: 30 s")
        await screen.press("escape")
        await screen.sees("showing level:error job:j")
        assert screen.has_focus_on_records()


async def test_a_record_without_a_job_has_no_story(collector) -> None:
    async with watching(server_of(collector), parse_filter("cache")) as screen:
        await screen.sees("cache is warm")
        await screen.press("s")
        await screen.sees("this record belongs to no job")


async def test_paused_it_stands_still_and_goes_on_without_a_hole(collector) -> None:
    async with watching(server_of(collector), parse_filter("service:live")) as screen:
        await screen.sees("● live", "0 of 0 held")
        await screen.press("space")
        new = [record(n, service="live", msg=f"news {n}") for n in range(3)]
        await ship(collector.address, batch(1, new, producer="live"))
        await screen.sees("PAUSED", "3 new wait")
        assert "news" not in screen.text()
        await screen.press("space")
        await screen.sees("FOLLOWING", "news 0", "news 1", "news 2")


@pytest.mark.parametrize("place_of", [server_of, files_of])
async def test_scrolling_up_reads_older_pages_to_the_beginning(collector, place_of) -> None:
    async with watching(place_of(collector), parse_filter("service:old"), keep=5000) as screen:
        await screen.sees("50 of 50 held")
        await screen.press("home", "up")
        await screen.sees("PAUSED", "550 held")
        for held in ("1,050", "1,550", "2,000"):
            await screen.press("home", "up")
            await screen.sees(f"{held} held")
        await screen.press("home")
        await screen.sees("1 of 2,000 held", "2026-11-20 00:00:00.000")
        await screen.press("up", "up")
        await screen.sees("the beginning: nothing older is stored")
        await screen.press("end")
        await screen.sees("FOLLOWING", "2,000 of 2,000 held")


async def test_a_look_right_after_a_key_does_not_take_its_effect_away(collector) -> None:
    async with watching(server_of(collector), parse_filter("service:old")) as screen:
        await screen.sees("50 of 50 held")
        records = screen.app.screen.query_one(RecordList)
        records.action_first()
        records.refresh_window()
        assert records.chosen == records.window.first_number


async def test_what_is_held_is_bounded_and_following_finds_the_newest_again(collector) -> None:
    async with watching(server_of(collector), parse_filter("service:old"), keep=100) as screen:
        await screen.sees("50 of 50 held")
        await screen.press("home")
        await screen.sees("1 of 50 held")
        await screen.press("up")
        await screen.sees("of 100 held")
        newest = "n=2000"
        assert newest not in screen.text()
        await screen.press("space")
        await screen.sees("FOLLOWING", newest, "50 of 50 held")


async def test_another_size_of_the_terminal_is_filled(collector) -> None:
    async with watching(server_of(collector), size=(120, 30)) as screen:
        await screen.sees("50 of 50 held")
        await screen.pilot.resize_terminal(70, 16)
        await screen.holds(lambda: len(screen.text().splitlines()) == 16)
        await screen.sees("disk is gone", "FOLLOWING")
        assert max(map(len, screen.text().splitlines())) == 70
        await screen.pilot.resize_terminal(200, 50)
        await screen.sees("job begins", "disk is gone")


async def test_without_colours_levels_and_the_choice_are_still_seen(collector, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with watching(server_of(collector), parse_filter("service:api")) as screen:
        await screen.sees("INFO     api", f"› {local_time('2026-11-21T03:51:14.000000Z')} CRITICAL api")
        styles = [s.style for line in screen.app.screen._compositor.render_strips(screen.app.screen.size)
                  for s in line._segments if s.style and s.style.color]  # fmt: skip
        assert styles
        filters = screen.app.get_line_filters()
        assert any(type(each).__name__ == "NoColor" for each in filters), "Monochrome writes greys"


async def test_a_dead_collector_is_reported_and_found_again(tmp_path: Path) -> None:
    running = CollectorProcess(tmp_path / "data").start()
    try:
        async with watching(server_of(running)) as screen:
            await screen.sees("● live")
            await asyncio.to_thread(running.kill)
            await screen.sees("● reconnecting:")
            await asyncio.to_thread(running.start)
            await ship(running.address, batch(1, [record(1, msg="back again")]))
            await screen.sees("● live", "back again")
    finally:
        running.stop()


async def test_what_the_collector_leaves_out_is_reported(tmp_path: Path) -> None:
    running = CollectorProcess(tmp_path / "data").start()
    try:
        await ship(running.address, batch(11, [record(1)], lost_before=10))
        async with watching(server_of(running)) as screen:
            await screen.sees("collector: lost by producers 10")
    finally:
        running.stop()


async def test_a_flood_is_counted_in_full_and_held_in_part(collector) -> None:
    async with watching(server_of(collector), parse_filter("service:flood"), keep=200) as screen:
        await screen.sees("● live")
        for first in range(1, 10_001, 2000):
            flood = [record(n, service="flood", level="DEBUG") for n in range(first, first + 2000)]
            await ship(collector.address, batch(first, flood, producer="flood"))
        await screen.sees("DEBUG 10,000", "n=10000", "200 of 200 held")
        window = screen.app.watching.window
        assert len(window) == 200
        assert window.size_bytes < 200 * 500
