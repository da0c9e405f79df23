"""Why a service does not start."""

from __future__ import annotations


class StartError(Exception):
    """The service cannot start, and the caller can fix that; the message says how."""
