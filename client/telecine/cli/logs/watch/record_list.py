"""A list of records that draws only the lines that are seen, however many are held."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from telecine.cli.logs.watch.drawing import row_text
from telecine.log_view.record_view import Item
from telecine.log_view.record_window import RecordWindow

_WHEEL_LINES = 3


class RecordList(Widget, can_focus=True):
    """Shows a window, with one record chosen. Call `refresh_window` whenever the window has changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "first", "Oldest", show=False),
        Binding("end", "last", "Newest", show=False),
        Binding("enter", "open", "Details"),
    ]
    DEFAULT_CSS = """
    RecordList { height: 1fr; width: 1fr; }
    RecordList > .record-list--chosen { background: #26405f; }
    """

    class Moved(Message):
        """Somebody has chosen another record."""

        def __init__(self, *, is_at_end: bool) -> None:
            super().__init__()
            self.is_at_end = is_at_end

    class BeginningReached(Message):
        """Somebody wants to see what is older than the oldest that is held."""

    class Opened(Message):
        """Somebody wants to see the whole record."""

    def __init__(self, window: RecordWindow, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.window = window
        self.chosen = -1
        """Number of the chosen record."""
        self._top = 0

    @property
    def chosen_item(self) -> Item | None:
        """What is chosen; None: nothing."""
        return self.window.item(self.chosen)

    def refresh_window(self) -> None:
        """Draws anew; a list that follows shows the newest, a paused one stays where it is."""
        window = self.window
        if not window.is_paused:
            self.chosen = window.end_number - 1
        self.chosen = max(window.first_number, min(self.chosen, window.end_number - 1))
        self._keep_in_view()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number = self._top + y
        item = self.window.item(number)
        width = self.size.width
        if item is None:
            return Strip.blank(width, self.rich_style)
        is_chosen = number == self.chosen
        text = row_text(item, is_chosen=is_chosen)
        text.truncate(width, overflow="ellipsis")
        base = self.rich_style
        if is_chosen and self.has_focus:
            base += self.get_component_rich_style("record-list--chosen", partial=True)
        segments = [Segment(s.text, s.style) for s in text.render(self.app.console)]
        return Strip(segments).apply_style(base).adjust_cell_length(width, base)

    COMPONENT_CLASSES: ClassVar[set[str]] = {"record-list--chosen"}

    def action_move(self, step: int) -> None:
        """Selects the record above or below."""
        self._choose(self.chosen + step)

    def action_page(self, step: int) -> None:
        """Goes on by a screen."""
        self._choose(self.chosen + step * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """Chooses the oldest that is held."""
        self._choose(self.window.first_number)

    def action_last(self) -> None:
        """Chooses the newest that is held."""
        self._choose(self.window.end_number - 1)

    def action_open(self) -> None:
        """Asks for the whole record."""
        if self.chosen_item is not None:
            self.post_message(self.Opened())

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Goes back."""
        event.stop()
        self.action_move(-_WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Goes on."""
        event.stop()
        self.action_move(_WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """Chooses what is clicked, and opens what is clicked twice."""
        self._choose(self._top + event.y)
        if event.chain > 1:
            self.action_open()

    def on_resize(self) -> None:
        """Keeps what is chosen in view."""
        self._keep_in_view()

    def _choose(self, number: int) -> None:
        window = self.window
        if not len(window):
            return
        if number < window.first_number or number == self.chosen == window.first_number:
            self.post_message(self.BeginningReached())
        self.chosen = max(window.first_number, min(number, window.end_number - 1))
        is_at_end = self.chosen == window.end_number - 1
        if not is_at_end:
            # At once: a look at what has arrived may come before the message, and would go to the end again.
            window.pause()
        self._keep_in_view()
        self.post_message(self.Moved(is_at_end=is_at_end))
        self.refresh()

    def _keep_in_view(self) -> None:
        height = max(1, self.size.height)
        top = min(self._top, self.chosen)
        top = max(top, self.chosen - height + 1)
        last_top = max(self.window.first_number, self.window.end_number - height)
        self._top = max(self.window.first_number, min(top, last_top))
