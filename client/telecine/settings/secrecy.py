"""Which settings are secret, and how a setting may be shown."""

from __future__ import annotations

import re

REDACTED = "***redacted***"
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|secrets|token|tokens|api_key|apikey|private_key"
    r"|access_key|hash_key|redaction_key|credential|credentials|authorization|dsn|headers)$",
    re.IGNORECASE,
)
_URL_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_URL_PATH = re.compile(r"(https?://[^/?#\s'\"]+)(/?[?#][^\s'\"]+|/[^\s'\"]+)", re.IGNORECASE)
_MAX_SHOWN_CHARS = 80


def is_secret(key: str) -> bool:
    """Whether the value of a dotted key must not be shown; told by any part of its name."""
    return any(_SECRET_NAME.search(part) for part in re.sub(r"\[\d+\]", "", key).split("."))


def without_url_user(text: str) -> str:
    """The text with the user part of every URL in it redacted, for that may hold a password, and all behind
    the host of an HTTP URL: webhooks' paths and queries are their tokens."""
    return _URL_PATH.sub(rf"\1/{REDACTED}", _URL_USER.sub(REDACTED, text))


def shown(key: str, value: object) -> str:
    """The value for an error message or a listing: redacted, without user names in URLs, short."""
    if is_secret(key):
        return REDACTED
    text = without_url_user(repr(str(value)) if isinstance(value, str) else repr(value))
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
