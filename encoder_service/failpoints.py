"""Failpoints: places where a test may kill the service, to prove that any instant is safe.

`TELECINE_FAULT=kill_at:<point>` makes the process kill itself (SIGKILL) the first time it reaches that
point; `kill_at:<point>:<n>` the n-th time. Unset, which is always so outside tests, a point costs one
comparison. The points, in the order of a job's life:

* `spool_written`: bytes are in the spool and not yet acknowledged.
* `finish_recorded`: the totals are recorded and nobody was notified.
* `output_produced`: a worker has verified its files, which still lie in `.partial`.
* `evidence_recorded`: the evidence is recorded, the files still lie in `.partial`.
* `artifact_renamed`: some of an output's files are in place.
* `end_recorded`: the job's end is recorded, there is no manifest yet.
* `manifest_written`: the manifest lies under its temporary name.
* `manifest_renamed`: the manifest is in place, the spool still there.
* `webhooks_promised`: deliveries are on the disk, nothing was sent, the spool is still there.
* `spool_removed`: all that is left is to notify the client.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "TELECINE_FAULT"


class FailpointPlan:
    """Which point kills, and at which visit."""

    __slots__ = ("_point", "_visits_left")

    def __init__(self, text: str) -> None:
        action, _, rest = text.partition(":")
        point, _, count = rest.partition(":")
        if text and action != "kill_at":
            raise ValueError(f"{VARIABLE}={text!r}: only kill_at:<point>[:<n>] is known")
        self._point = point
        self._visits_left = int(count or 1)

    def is_due(self, point: str) -> bool:
        """Counts a visit; true when the plan strikes here and now."""
        if not self._point or point != self._point:
            return False
        self._visits_left -= 1
        return self._visits_left == 0


_plan = FailpointPlan(os.environ.get(VARIABLE, ""))


def reach(point: str) -> None:
    """Marks a failpoint; does not return when the plan strikes."""
    if _plan.is_due(point):
        os.kill(os.getpid(), signal.SIGKILL)
