"""The screen of `telecine logs watch`: a filter, the records, their details, and how it stands with them."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer, Input, Static

from telecine.cli.logs.watch import drawing
from telecine.cli.logs.watch.record_list import RecordList
from telecine.cli.logs.watch.story_screen import StoryScreen
from telecine.cli.show.failures import explain
from telecine.clients.logs import LogFilter
from telecine.exceptions import TelecineError
from telecine.log_view.filter_text import FilterTextError, format_filter, parse_filter
from telecine.log_view.live_feed import Delivery, LiveFeed
from telecine.log_view.losses import losses_of
from telecine.log_view.older_pages import OlderPages
from telecine.log_view.quick_filters import QUICK_FILTERS, QuickFilter, narrowed
from telecine.log_view.record_source import RecordSource, WatchedPlace
from telecine.log_view.record_view import RecordView, details_of
from telecine.log_view.record_window import RecordWindow, WindowLimits

_LOOK_SECONDS = 0.1
_COUNTERS_SECONDS = 2.0
_TYPING_SECONDS = 0.3
_CALL_SECONDS = 30.0
_OLDER_RECORDS = 500


class WatchScreen(Screen[None]):
    """Watches one place until it is left."""

    CSS = """
    #connection, #hint, #counts, #window { height: 1; }
    #filter { height: 1; border: none; padding: 0 1; }
    #hint { color: $warning; padding: 0 1; }
    #detail { height: 40%; display: none; border-top: solid $primary; padding: 0 1; }
    #detail.is-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "edit", "Filter"),
        Binding("escape", "leave", "Records", show=False),
        Binding("space", "pause", "Pause/follow"),
        Binding("e", "quick('errors')", "Errors"),
        Binding("w", "quick('warnings')", "Warnings"),
        Binding("i", "quick('info')", "Info"),
        Binding("d", "quick('debug')", "Debug"),
        Binding("a", "quick('all')", "All"),
        Binding("s", "story", "Job's story"),
        Binding("o", "older", "Older"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, place: WatchedPlace, wanted: LogFilter, *, last: int, limits: WindowLimits) -> None:
        """`wanted`: the filter to begin with. `last`: so many stored records to begin with."""
        super().__init__()
        self._place = place
        self._typed = wanted
        self._quick = QuickFilter.ALL
        self._last = min(last, limits.records)
        self._limits = limits
        self.window = RecordWindow(limits)
        self._feed: LiveFeed | None = None
        self._older: OlderPages | None = None
        self._older_source: RecordSource | None = None
        self._counting: RecordSource | None = None
        self._is_reading_older = False
        self._told: dict[str, Text] = {}
        self._losses: dict[str, int] = {}
        self._note = ""
        self._typing: Timer | None = None
        self.delivery: Delivery | None = None

    def compose(self) -> ComposeResult:
        """Filter above, records, details, figures below."""
        yield Static(id="connection")
        placeholder = "filter: level:warning service:worker logger:app job:42 duration_ms>500 any text"
        yield Input(
            format_filter(self._typed),
            placeholder=placeholder,
            id="filter",
            compact=True,
            select_on_focus=False,
        )
        yield Static(id="hint")
        yield RecordList(self.window, id="records")
        yield VerticalScroll(Static(id="fields"), id="detail")
        yield Static(id="counts")
        yield Static(id="window")
        yield Footer()

    def on_mount(self) -> None:
        """Begins to follow."""
        self.query_one(RecordList).focus()
        self._begin()
        self.set_interval(_LOOK_SECONDS, self._look)
        if self._place.has_counters:
            self.set_interval(_COUNTERS_SECONDS, self._count_losses)

    def on_unmount(self) -> None:
        """Lets go of what is open."""
        self._end()
        if self._counting is not None:
            self._counting.close()

    # --- what is typed and pressed --------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Takes the filter as soon as it can be read and nobody types any more."""
        if self._typing is not None:
            self._typing.stop()
        try:
            wanted = parse_filter(event.value)
        except FilterTextError as error:
            self.query_one("#hint", Static).update(Text(str(error)))
            return
        self.query_one("#hint", Static).update("")
        self._typing = self.set_timer(_TYPING_SECONDS, lambda: self._take_filter(wanted))

    def on_input_submitted(self) -> None:
        """Goes back to the records."""
        self.query_one(RecordList).focus()

    def action_edit(self) -> None:
        """Goes to the filter."""
        self.query_one("#filter", Input).focus()

    def action_leave(self) -> None:
        """Closes the details, or goes back to the records."""
        self.query_one("#detail").remove_class("is-open")
        self.query_one(RecordList).focus()

    def action_quick(self, name: str) -> None:
        """Leaves only records of some levels."""
        self._quick = QuickFilter(name)
        self._begin()

    def action_pause(self) -> None:
        """Stops following, or follows again."""
        if self.window.is_paused:
            self._follow()
        else:
            self.window.pause()
        self._draw()

    def action_story(self) -> None:
        """Shows all that happened to the chosen record's job."""
        item = self.query_one(RecordList).chosen_item
        job_id = details_of(item).job_id if isinstance(item, RecordView) else ""
        if job_id:
            self.app.push_screen(StoryScreen(self._place, job_id, self._limits))
        else:
            self.notify("this record belongs to no job", severity="warning")

    def action_older(self) -> None:
        """Loads the page before the oldest record that is held."""
        if self._is_reading_older:
            return
        if self._older is None:
            self._older_source = self._older_source or self._place.open(_CALL_SECONDS)
            wanted = narrowed(self._typed, self._quick)
            self._older = OlderPages(self._older_source, wanted, list(self.window))
        if self._older.is_at_beginning:
            self._note = "the beginning: nothing older is stored"
            return
        self.window.pause()
        self._is_reading_older = True
        self._note = "reading older records …"
        older = self._older
        self.run_worker(lambda: self._read_older(older), thread=True, group="older", exit_on_error=False)

    def on_record_list_opened(self) -> None:
        """Shows or hides all fields of the chosen record."""
        detail = self.query_one("#detail")
        detail.toggle_class("is-open")
        if detail.has_class("is-open"):
            # What is read must not run away.
            self.window.pause()
        self._draw()

    def on_record_list_beginning_reached(self) -> None:
        """Loads what is older."""
        self.action_older()

    def on_record_list_moved(self, event: RecordList.Moved) -> None:
        """At the end it follows again; the list has stopped following where the user looks around."""
        if event.is_at_end and self.window.is_paused:
            self._follow()
        self._draw()

    # --- records ----------------------------------------------------------------------------------------

    def _take_filter(self, wanted: LogFilter) -> None:
        if wanted != self._typed:
            self._typed = wanted
            self._begin()

    def _begin(self) -> None:
        """Forgets what is shown and follows what the filters let pass."""
        self._end()
        self.window.clear()
        wanted = narrowed(self._typed, self._quick)
        self._feed = LiveFeed(self._place, wanted, last=self._last, limits=self._limits)
        self._feed.start()
        self._look()

    def _end(self) -> None:
        if self._feed is not None:
            self._feed.stop()
        self._forget_older()

    def _forget_older(self) -> None:
        self._older = None
        self._note = ""
        if self._older_source is not None:
            self._older_source.close()
            self._older_source = None

    def _follow(self) -> None:
        self._forget_older()
        if not self.window.follow():
            # What is newest left the window while scrolling back: it is read again.
            self._begin()

    def _look(self) -> None:
        """Takes what has arrived since the last look."""
        if self._feed is None:
            return
        self.delivery = self._feed.take()
        if self.delivery.items:
            self.window.add(self.delivery.items)
        self._draw()

    def _read_older(self, older: OlderPages) -> None:
        try:
            page = older.next_page(_OLDER_RECORDS)
        except Exception as error:  # noqa: BLE001 - a thread's outermost door: it shows whatever it is
            self.app.call_from_thread(self._show_older, older, [], f"older records: {explain(error).message}")
        else:
            self.app.call_from_thread(self._show_older, older, page, "")

    def _show_older(self, older: OlderPages, page: list[RecordView], problem: str) -> None:
        self._is_reading_older = False
        if older is not self._older:
            return  # another filter has been chosen meanwhile
        if problem:
            self._forget_older()
        elif page:
            self.window.add_older(page)
        self._note = problem or ("" if page else "the beginning: nothing older is stored")
        self._draw()

    def _count_losses(self) -> None:
        self.run_worker(
            self._read_counters, thread=True, exclusive=True, group="counters", exit_on_error=False
        )

    def _read_counters(self) -> None:
        source = self._counting
        if source is None:
            source = self._counting = self._place.open(_COUNTERS_SECONDS)
        try:
            self._losses = losses_of(source.stats())
        except TelecineError:
            return  # the connection's state says so already

    # --- drawing ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if self.delivery is None:
            return
        records = self.query_one(RecordList)
        records.refresh_window()
        window = self.window
        label = QUICK_FILTERS[self._quick].label
        chosen = records.chosen - window.first_number + 1 if len(window) else 0
        note = drawing.window_text(
            len(window), chosen, window.waiting_count, is_paused=window.is_paused, note=self._note
        )
        self._tell("connection", self._header(self.delivery, label))
        self._tell("counts", drawing.counts_text(self.delivery, self._losses))
        self._tell("window", note)
        if self.query_one("#detail").has_class("is-open"):
            self._tell("fields", drawing.details_text(records.chosen_item))

    def _header(self, delivery: Delivery, label: str) -> Text:
        return drawing.connection_text(self._place.name, delivery, label, format_filter(self._typed))

    def _tell(self, place: str, text: Text) -> None:
        """Draws only what has changed: a watched service may be silent for hours."""
        if self._told.get(place) != text:
            self._told[place] = text
            self.query_one(f"#{place}", Static).update(text)
