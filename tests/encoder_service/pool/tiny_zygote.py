"""A zygote whose workers are a few lines, for tests of what keeps workers: real processes, no codec.

A worker obeys the name of the output: `ok`, `crash`, `exit`, `garbage`, `deaf` (never answers, not even to
Cancel). HOME, the one variable that a test can hand through: `dead` (the zygote ends before it is ready),
`mute` (the zygote never gets ready), `mute_worker` (its workers do not), or a directory with the file
`die_at_start` (workers die before they are ready; the one that finds "once" in it removes it) or
`die_when_ready`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from encoder_service.worker.process.parent import die_with_parent
from encoder_service.worker.process.zygote import Zygote


def die_at_start(wish: Path) -> None:
    """Ends the worker where the file says so."""
    if wish.exists():
        if wish.read_text() == "once":
            wish.unlink()
        print("no codec here", file=sys.stderr, flush=True)
        sys.exit(9)


def work(orders: int, events: int) -> None:
    """Works until there are no more orders."""

    def say(**event: object) -> None:
        os.write(events, json.dumps(event).encode() + b"\n")

    if os.environ.get("HOME") == "mute_worker":
        os.read(orders, 1)
        return
    home = Path(os.environ.get("HOME", "/"))
    die_at_start(home / "die_at_start")
    say(type="ready", pid=os.getpid())
    if (home / "die_when_ready").exists():
        sys.exit(9)
    name = ""
    for line in os.fdopen(orders, "rb"):
        order = json.loads(line)
        if order["type"] == "assignment":
            name = order["output"]["name"]
            if name == "crash":
                print("codec: assertion failed", file=sys.stderr, flush=True)
                os.abort()
            if name == "exit":
                sys.exit(7)
            if name == "garbage":
                os.write(events, b"not json\n")
        elif order["type"] == "high_watermark" and name == "ok":
            say(type="progress", phase="encoding", frames_encoded=order["frames"], bytes_written=1)
            if order["is_complete"]:
                say(type="failed", code="DONE", message="as told", is_retryable=False)
        elif order["type"] == "cancel" and name != "deaf":
            say(type="failed", code="CANCELLED", message="as told", is_retryable=False)


def main() -> None:
    """Serves the socket whose descriptor is the first argument."""
    mode = os.environ.get("HOME")
    if mode == "dead":
        print("cannot load a library", file=sys.stderr)
        sys.exit(3)
    connection = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent()
    if mode == "mute":
        connection.recv(1)
        return
    Zygote(connection, work).serve()


if __name__ == "__main__":
    main()
