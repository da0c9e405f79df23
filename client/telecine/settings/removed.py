"""Settings of earlier versions: what an upgrade finds in old files and variables, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

_GONE = "is gone after 0.1.0; remove it. "
REMOVED: Mapping[str, str] = {
    "worker_command": f"{_GONE}worker_wrapper names a command to put before the workers' own",
    "assignments_per_worker": f"{_GONE}Each attempt at an output has a process of its own",
    "spool_reserve_bytes": f"{_GONE}The spool needs no reserve any more",
    "spool_reserve_seconds": f"{_GONE}The spool needs no reserve any more",
}
"""What to do, by the last part of the name. A setting that takes such a name again leaves this table."""
