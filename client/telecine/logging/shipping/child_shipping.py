"""Makes sure that what a forked child logs is shipped: gRPC does not survive a fork, so others do it."""

from __future__ import annotations

import _thread
import threading
import time
from pathlib import Path

from telecine.logging.shipping.messages import ShippingCounts
from telecine.logging.shipping.shipping_process import launch_helper, nobody_ships
from telecine.logging.shipping.spool_reader import read_acked
from telecine.tls.options import Tls

_LOOK_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 60.0
_POLL_SECONDS = 0.02


class ChildShipping:
    """The child's part of shipping: its parent, or any process with the same spool root, ships for it.

    Where the parent is gone (a daemon, a parent that was killed), a helper is started.
    """

    def __init__(self, root: Path, address: str, answer_seconds: float, tls: Tls | None = None) -> None:
        """Does nothing until `begin`. `tls` None: a plain connection, unless the address asks for another."""
        self._tls = tls
        self._root = root
        self._address = address
        self._answer_seconds = answer_seconds
        self._own: Path | None = None
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self.counts = ShippingCounts()

    def begin(self, own: Path) -> None:
        """The child has a spool now: from here on somebody must ship it."""
        is_first, self._own = self._own is None, own
        if is_first:
            # Not by `threading`, whose locks a signal handler that logs may have interrupted.
            _thread.start_new_thread(self._watch, ())

    def hurry(self) -> None:
        """Nothing to do: the shipping process takes the spools of children within a second."""

    def wait_until_shipped(self, seq: int, timeout_seconds: float) -> bool:
        """Waits until the collector has this process's records up to `seq`; False at the timeout."""
        deadline = time.monotonic() + timeout_seconds
        while self._own is not None and read_acked(self._own) < seq:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def stop(self, timeout_seconds: float) -> None:
        """Leaves what is left to those who ship; starts a helper where nobody does. Waits for nobody."""
        self._stopping.set()
        if self._own is not None and timeout_seconds > 0:
            self._look()

    def abandon_in_child(self) -> None:
        """A child's child begins anew."""

    def _watch(self) -> None:
        pause = _LOOK_SECONDS
        while not self._stopping.is_set():
            has_launched = self._look()
            # A helper that does not stay is not started all the time.
            pause = min(2 * pause, _MAX_PAUSE_SECONDS) if has_launched else _LOOK_SECONDS
            self._stopping.wait(pause)

    def _look(self) -> bool:
        """True where a helper was needed."""
        with self._looking:
            if not nobody_ships(self._root):
                return False
            launch_helper(self._root, self._address, self._answer_seconds, self._tls)
            return True
