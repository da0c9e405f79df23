"""Why a service does not start."""

from __future__ import annotations


class StartError(Exception):
    """The service cannot start, and whoever starts it can mend that; the message says how."""
