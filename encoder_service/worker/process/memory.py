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


def own_memory_bytes(pid: int) -> int:
    """Resident and swapped memory without mapped files, so without the frames it looks at; 0: it is gone."""
    return holdings(pid)[0]


def holdings(pid: int) -> tuple[int, int]:
    """`own_memory_bytes`, and how many threads there are; 0 both: it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
    except OSError:
        return 0, 0
    memory_bytes = sum(int(line.split()[1]) << 10 for line in lines if line.startswith(_FIELDS))
    threads = next((int(line.split()[1]) for line in lines if line.startswith(b"Threads:")), 0)
    return memory_bytes, threads
