"""Makes messages fit for clients: without paths of this machine and without addresses of memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

MAX_CHARS = 4000

# An absolute path of at least two parts. What stands behind a letter, a digit, ":" or "/" is part of a word,
# a ratio or a URL.
_PATH = re.compile(r"(?<![\w:/.<])/(?:[^\s/'\"<>:,;()\[\]{}|]+/)+([^\s/'\"<>:,;()\[\]{}|]*)")
_QUOTED_PATH = re.compile(r"(['\"])/(?:[^'\"\n/]+/)+([^'\"\n/]*)\1")
_OBJECT = re.compile(r"<([\w.]+)(?: object)?[^<>]* at 0x[0-9a-fA-F]+>")
_ADDRESS = re.compile(r"\b(at )?0x[0-9a-fA-F]{6,}\b")


def for_clients(text: str) -> str:
    """Returns the message with file names instead of paths, and without addresses. Pure."""
    text = _OBJECT.sub(lambda found: f"<{found[1]}>", text[:MAX_CHARS])
    text = _ADDRESS.sub("", text)
    text = _QUOTED_PATH.sub(lambda found: f"{found[1]}{found[2] or '…'}{found[1]}", text)
    return _PATH.sub(lambda found: found[1] or "…", text)


def of_os_error(error: OSError) -> str:
    """What the system says is wrong, and the name of the file without where it lies."""
    what = error.strerror or type(error).__name__
    name = Path(os.fsdecode(error.filename)).name if isinstance(error.filename, str | bytes) else ""
    return f"{what}: {name!r}" if name else what
