"""How much memory a process has of its own: what the machine gets back when it ends."""

from __future__ import annotations

from pathlib import Path

_FIELDS = (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:")
"""The last are the kernel's own tables: wide maps that are hardly used take much of them."""


_FIRST_TO_GO = "500"


def offer_to_kernel() -> None:
    """Where the machine's memory runs out, the kernel ends this process before the service."""
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    except OSError:
        pass


def holdings(pid: int) -> tuple[int, int]:
    """A process's own memory in bytes, and its number of threads; both 0: it is gone.

    Resident and swapped memory count, mapped files do not, so neither do the frames that it looks at.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
    except OSError:
        return 0, 0
    memory_bytes = sum(int(line.split()[1]) << 10 for line in lines if line.startswith(_FIELDS))
    threads = next((int(line.split()[1]) for line in lines if line.startswith(b"Threads:")), 0)
    return memory_bytes, threads
