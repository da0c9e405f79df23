"""All that happened to a job, on a screen of its own, as `telecine logs job` shows it."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from telecine.cli.logs.story_view import stage_table, story_summary
from telecine.cli.logs.watch.drawing import details_text
from telecine.cli.logs.watch.record_list import RecordList
from telecine.cli.show.failures import explain
from telecine.clients.logs import JobStory
from telecine.log_view.record_source import WatchedPlace
from telecine.log_view.record_view import view_of
from telecine.log_view.record_window import RecordWindow, WindowLimits

_CALL_SECONDS = 30.0


class StoryScreen(Screen[None]):
    """Reads the story when it is shown; shows as many of its records as a window may hold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,s", "app.pop_screen", "Back"),
        Binding("r", "load", "Read again"),
    ]
    CSS = """
    StoryScreen #stages { height: auto; max-height: 50%; padding: 0 1; margin-bottom: 1; }
    StoryScreen #detail { height: 40%; display: none; border-top: solid $primary; padding: 0 1; }
    StoryScreen #detail.is-open { display: block; }
    """

    def __init__(self, place: WatchedPlace, job_id: str, limits: WindowLimits) -> None:
        super().__init__()
        self._place = place
        self._job_id = job_id
        self._limits = limits
        self._window = RecordWindow(limits)

    def compose(self) -> ComposeResult:
        """Stages above, records below."""
        yield VerticalScroll(Static(Text(f"reading the story of {self._job_id} …"), id="story"), id="stages")
        yield RecordList(self._window, id="story-records")
        yield VerticalScroll(Static(id="story-fields"), id="detail")
        yield Footer()

    def on_mount(self) -> None:
        """Begins to read."""
        self.query_one(RecordList).focus()
        self.action_load()

    def action_load(self) -> None:
        """Reads the story (again)."""
        self.run_worker(self._read, thread=True, exclusive=True, exit_on_error=False)

    def on_record_list_opened(self) -> None:
        """Shows or hides all fields of the chosen record."""
        self.query_one("#detail").toggle_class("is-open")
        self._show_fields()

    def on_record_list_moved(self) -> None:
        """The fields follow what is chosen."""
        self._show_fields()

    def _read(self) -> None:
        source = self._place.open(_CALL_SECONDS)
        try:
            story = source.job_story(self._job_id, max_records=self._limits.records)
        except Exception as error:  # noqa: BLE001 - a thread's outermost door: it shows whatever it is
            failure = explain(error)
            text = Text(f"{failure.message}\nTo do: {failure.advice}", "bold #ff6c6b")
            self.app.call_from_thread(self.query_one("#story", Static).update, text)
        else:
            self.app.call_from_thread(self._show, story)
        finally:
            source.close()

    def _show(self, story: JobStory) -> None:
        parts: list[RenderableType] = [Text.from_markup(story_summary(story)), stage_table(story)]
        if len(story.records) < story.record_count:
            note = (
                f"the first {len(story.records):,} records are shown; telecine logs job {story.job_id}: all"
            )
            parts.insert(1, Text(note, "#e5c07b"))
        self.query_one("#story", Static).update(Group(*parts))
        self._window.clear()
        self._window.add([view_of(line) for line in story.records])
        self._window.pause()
        records = self.query_one(RecordList)
        records.chosen = self._window.first_number
        records.refresh_window()
        self._show_fields()

    def _show_fields(self) -> None:
        item = self.query_one(RecordList).chosen_item
        self.query_one("#story-fields", Static).update(details_text(item))
