"""A process of its own that ships what forked children log, where no other process does.

gRPC cannot be used in a child of a process that has used it, so a child asks a fresh interpreter. It leaves
the child at once, so that programs that wait for all their children never see it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telecine.logging.forked.file_locks import is_free
from telecine.logging.shipping.messages import ShippingLimits, ShipStream
from telecine.logging.shipping.shipper import Shipper
from telecine.logging.shipping.spool_reader import (
    has_living_owner,
    is_of_child,
    last_written_seq,
    read_acked,
    spool_directories,
)
from telecine.tls.options import FILES, Tls

_BEGIN = (
    "import json, os, sys\n"
    "given = json.load(sys.stdin)\n"
    "os.fork() and os._exit(0)\n"
    "sys.path[:] = given.pop('path')\n"
    f"from {__name__} import ship_for_others\n"
    "ship_for_others(**given)\n"
)
_LAUNCH_SECONDS = 20.0
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 60.0
_PATIENCE_UNCONNECTED_SECONDS = 3.0
"""So long are the spools of the dead tried while no child lives; the next start ships them."""
_STOP_SECONDS = 5.0
_START_SECONDS = 5.0
"""A helper that is not there by then is not waited for."""
_ENDING_POLL_SECONDS = 0.01


def launch_helper(root: Path, address: str, answer_seconds: float, tls: Tls | None = None) -> bool:
    """Starts the helper; False where this interpreter cannot be started again."""
    # An embedded interpreter names its host program here, a frozen one itself.
    if "python" not in Path(sys.executable or "").name.lower() or getattr(sys, "frozen", False):
        return False
    given = {
        "path": [entry for entry in sys.path if Path(entry).is_absolute()],
        "root": str(root.absolute()),
        "address": address,
        "answer_seconds": answer_seconds,
        "tls": None if tls is None else _with_whole_paths(tls),
    }
    try:
        ended = subprocess.run(
            # Isolated: neither the working directory nor the environment adds modules of its own.
            [sys.executable, "-I", "-c", _BEGIN],
            input=json.dumps(given).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            timeout=_LAUNCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return ended.returncode == 0


def ship_by_helper(root: Path, launch: Callable[[], bool], timeout_seconds: float) -> None:
    """Starts a helper for what no living program writes below the root, and waits a while for it.

    What is not shipped by then the helper goes on with, or the next start.
    """
    if timeout_seconds <= 0 or _is_all_shipped(root):
        return
    began = time.monotonic()
    if not launch():
        return
    has_begun = False
    while not _is_all_shipped(root) and (waited := time.monotonic() - began) < timeout_seconds:
        is_there = not nobody_ships(root)
        if not is_there and (has_begun or waited >= _START_SECONDS):
            # It leaves after a while without a collector.
            return
        has_begun = has_begun or is_there
        time.sleep(_ENDING_POLL_SECONDS)


def _is_all_shipped(root: Path) -> bool:
    return all(
        read_acked(spool) >= last_written_seq(spool) or not spool.exists()
        for spool in spool_directories(root)
        if not has_living_owner(spool)
    )


def nobody_ships(root: Path) -> bool:
    """Whether no process ships the spools below the root; every shipper holds the directory's lock."""
    try:
        return is_free(root.resolve())
    except OSError:
        return False


def _with_whole_paths(tls: Tls) -> dict[str, object]:
    """What makes the same `Tls` in another working directory."""
    files = {name: str(Path(path).absolute()) for name in FILES if (path := getattr(tls, name)) is not None}
    return {**files, "server_name": tls.server_name, "insecure": tls.insecure}


def ship_for_others(
    root: str, address: str, answer_seconds: float, tls: dict[str, Any] | None = None
) -> None:
    """Ships until no forked child lives and nothing is left; the helper's whole life."""
    directory = Path(root)
    secure = None if tls is None else Tls(**tls)

    def connect() -> ShipStream:
        from telecine.logging.shipping.stream import open_ship_stream

        return open_ship_stream(address, secure)

    # A child may begin to log while the last look is being taken.
    while nobody_ships(directory) and _is_anything_left(directory):
        shipper = Shipper(directory, connect, ShippingLimits(answer_seconds=answer_seconds))
        shipper.start()
        needed_at = time.monotonic()
        while _is_anything_left(directory):
            if _are_children_alive(directory):
                needed_at = time.monotonic()
            patience = _PATIENCE_SECONDS if shipper.is_connected else _PATIENCE_UNCONNECTED_SECONDS
            if time.monotonic() - needed_at >= patience:
                shipper.stop(_STOP_SECONDS)
                return
            time.sleep(_LOOK_SECONDS)
        shipper.stop(_STOP_SECONDS)


def _is_anything_left(root: Path) -> bool:
    return any(
        not has_living_owner(directory) or is_of_child(directory) for directory in spool_directories(root)
    )


def _are_children_alive(root: Path) -> bool:
    return any(
        has_living_owner(directory) and is_of_child(directory) for directory in spool_directories(root)
    )
