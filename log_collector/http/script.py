"""The logger for browsers as the port hands it out: one file, known by its hash."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Final

NAME: Final = "telecine-log.js"


class Script:
    """Read once; its text belongs to the release."""

    def __init__(self) -> None:
        self.body = resources.files("log_collector.http").joinpath(NAME).read_bytes()
        self.headers = {
            "etag": f'"{hashlib.sha256(self.body).hexdigest()[:32]}"',
            # Short, so that pages have a new release's within the hour.
            "cache-control": "public, max-age=3600",
            # Every page may load it; what it sends is judged when it comes.
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
