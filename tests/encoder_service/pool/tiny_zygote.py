"""A zygote whose workers are a few lines, for tests of what keeps workers: real processes, no codec.

A worker obeys the name of the output: `ok`, `crash`, `exit`, `garbage`, `deaf` (never answers, not even to
Cancel). HOME, the one variable that a test can hand through: `dead` (the zygote ends before it is ready),
`mute` (the zygote never gets ready), `mute_worker` (its workers do not).
"""

from __future__ import annotations

import json
import os
import socket
import sys

from encoder_service.worker.process.parent import die_with_parent
from encoder_service.worker.process.zygote import Zygote


def work(orders: int, events: int) -> None:
    """Works until there are no more orders."""

    def say(**event: object) -> None:
        os.write(events, json.dumps(event).encode() + b"\n")

    if os.environ.get("HOME") == "mute_worker":
        os.read(orders, 1)
        return
    say(type="ready", pid=os.getpid())
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
