"""Finds passwords in addresses without a scheme: `ada:X@tcp(db)`, `scott/X@db`, `db:5432:shop:ada:X`."""

from __future__ import annotations

import re

from telecine.logging.redaction.rules import Trigger
from telecine.logging.redaction.text.checks import IS_MASK, is_generated, is_harmless, is_password_like

RULE_ID = "address_password"
_REACH = 160
"""Characters before an `@` that are looked at."""
_SOCKET = r"@(?:tcp|unix|udp)\("
_FILE_LINE = r":(?:5[0-9]{3}|6432|\*):[A-Za-z0-9_*\-]{1,63}:[A-Za-z0-9_.\-]{1,63}:"
_MARK = re.compile(rf"(?P<socket>{_SOCKET})|(?P<at>@(?=[A-Za-z0-9/]))|(?P<file>{_FILE_LINE})", re.ASCII)
_RUN_BACK = re.compile(r"[^\s\"'<>=(,\\]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.$#-]{0,63}", re.ASCII)
_PASSWORD = re.compile(r"[^\s\"'\\:]{4,128}(?=[\s\"'\\]|$)")
_WINDOW = 64 << 10

TRIGGERS = (
    Trigger(_SOCKET, ("@tcp(", "@unix(", "@udp(")),
    Trigger(r"[A-Za-z0-9_]/[A-Za-z0-9_-]{12,64}@[A-Za-z0-9/]", ("@",)),
    Trigger(r":[A-Za-z0-9_-]{12,64}@/[A-Za-z]", ("@/",)),
    Trigger(_FILE_LINE + "[!-~]{4}", (":",)),
)


def may_be_of_file(text: str) -> bool:
    """Whether a line of `.pgpass` could be in the text."""
    return text.count(":") >= 4


class AddressSearch:
    """Goes through one text from left to right; a mark costs a bounded look back."""

    def __init__(self, text: str) -> None:
        self._text = text

    def advance(self, floor: int) -> tuple[int, int] | None:
        """The next password that begins at `floor` or behind it."""
        position, size = floor, len(self._text)
        while position < size:
            match = _MARK.search(self._text, position, position + _WINDOW + _REACH)
            if match is None:
                position += _WINDOW
                continue
            position = match.end()
            span = self._of_file(match) if match["file"] else self._before(match, floor)
            if span is not None and span[0] >= floor and not self._is_none(span):
                return span
        return None

    def _is_none(self, span: tuple[int, int]) -> bool:
        value = self._text[slice(*span)]
        return is_harmless(value) or IS_MASK.search(value) is not None

    def _of_file(self, match: re.Match[str]) -> tuple[int, int] | None:
        """`host:port:database:user:X`, a line of `.pgpass`."""
        before = self._text[match.start() - 1 : match.start()]
        value = _PASSWORD.match(self._text, match.end())
        is_one = (
            value is not None and (before.isalnum() or before in ("*", "]")) and is_password_like(value[0])
        )
        return value.span() if is_one and value is not None else None

    def _before(self, match: re.Match[str], floor: int) -> tuple[int, int] | None:
        begin = max(floor, match.start() - _REACH)
        back = _RUN_BACK.match(self._text[begin : match.start()][::-1])
        run = back[0][::-1] if back is not None else ""
        start = match.start() - len(run)
        sign = ":" if match["socket"] or self._text.startswith("@/", match.start()) else "/"
        if sign == "/":
            run = run[run.rfind(":") + 1 :]
            start = match.start() - len(run)
        user, found, secret = run.partition(sign)
        if not found or not secret or _USER.fullmatch(user) is None or "://" in run:
            return None
        if match["socket"] or (is_generated(secret) and "/" not in secret):
            return start + len(user) + 1, match.start()
        return None
