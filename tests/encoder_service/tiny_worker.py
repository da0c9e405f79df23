"""A worker program of a few lines, for tests of what keeps workers: real process, real pipes, no codec.

It obeys the name of the output: `ok`, `crash`, `exit`, `garbage`, `deaf` (never answers, ignores Cancel);
the environment's TINY_WORKER: `dead` (ends before it is ready), `mute` (never ready).
"""

from __future__ import annotations

import json
import os
import sys


def say(**event: object) -> None:
    """Sends an event."""
    print(json.dumps(event), flush=True)


def main() -> None:
    """Works until stdin closes."""
    mode = os.environ.get("TINY_WORKER", "")
    if mode == "dead":
        print("cannot load a library", file=sys.stderr)
        sys.exit(3)
    if mode == "mute":
        sys.stdin.read()
        return
    say(type="ready", pid=os.getpid())
    name = ""
    for line in sys.stdin:
        order = json.loads(line)
        if order["type"] == "assignment":
            name = order["output"]["name"]
            if name == "crash":
                print("codec: assertion failed", file=sys.stderr, flush=True)
                os.abort()
            if name == "exit":
                sys.exit(7)
            if name == "garbage":
                print("not json", flush=True)
        elif order["type"] == "extent" and name == "ok":
            say(type="progress", phase="encoding", frames_encoded=order["frames"], bytes_written=1)
            if order["is_complete"]:
                say(type="failed", code="DONE", message="as told", is_retryable=False)
        elif order["type"] == "cancel" and name != "deaf":
            say(type="failed", code="CANCELLED", message="as told", is_retryable=False)


if __name__ == "__main__":
    main()
