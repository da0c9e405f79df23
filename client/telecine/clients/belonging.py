"""What a client belongs to: a process, and an asyncio client also to an event loop."""

from __future__ import annotations

import asyncio

from telecine import exceptions as errors

PICKLING_ADVICE = (
    "Make a client in the process that uses it; pass the server's address, or a job_id for `wait`."
)


class EventLoop:
    """The event loop that an asyncio client, or a job of one, belongs to: the one that uses it first."""

    def __init__(self, what: str, advice: str, *, may_follow: bool) -> None:
        """`may_follow`: once the loop has been closed (`asyncio.run` for each task), the next may have it."""
        self._what, self._advice = what, advice
        self._may_follow = may_follow
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> bool:
        """Says whether the running loop has just become the owner; what an earlier one had is void.

        Outside of a loop nothing happens. Raises OutOfOrderError where another loop is the owner.
        """
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if running is self._loop:
            return False
        if self._loop is not None and not (self._may_follow and self._loop.is_closed()):
            raise errors.OutOfOrderError(
                f"this {self._what} belongs to another event loop", recovery=self._advice
            )
        self._loop = running
        return True


def not_pickled(what: str, advice: str) -> errors.OutOfOrderError:
    """The error for something that another process cannot have, to be raised."""
    return errors.OutOfOrderError(
        f"{what} belongs to this process and cannot be pickled or copied", recovery=advice
    )
