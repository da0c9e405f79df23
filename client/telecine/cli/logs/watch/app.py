"""The program behind `telecine logs watch`: one screen, and the keys that hold everywhere."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from telecine.cli.logs.watch.watch_screen import WatchScreen
from telecine.clients.logs import LogFilter
from telecine.log_view.record_source import WatchedPlace
from telecine.log_view.record_window import WindowLimits


class WatchApp(App[None]):
    """Watches one place until it is left."""

    TITLE = "telecine logs"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, place: WatchedPlace, wanted: LogFilter, *, last: int, limits: WindowLimits) -> None:
        """`wanted`: the filter to begin with. `last`: so many stored records to begin with."""
        # The terminal's own colours can be left out; of its own, Textual makes greys under NO_COLOR.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.watching = WatchScreen(place, wanted, last=last, limits=limits)

    def on_mount(self) -> None:
        """Opens the one screen."""
        self.push_screen(self.watching)
