"""Finds passwords in URLs and connection strings, those with `/ @ # :` in them too."""

from __future__ import annotations

import re

from telecine.logging.redaction.text.checks import is_harmless

RULE_ID = "url_password"
PATTERN = r"://[^\s/?#\"'<>:@]{0,256}:(?P<secret>[^\s\"'<>]{1,512})@"
"""What the search below finds, and more; the rule that has it is found by the search."""
_COLON = "://"
_USER = re.compile(r"[^\s/?#\"'<>:@]{0,256}:")
_RUN = re.compile(r"[^\s\"'<>\\`]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,31}$")
_PORT = re.compile(r"[0-9]{1,5}(?=[/?#,;)\]}]|$)")
_WEB = frozenset(
    {"http", "https", "ws", "wss", "rtsp", "rtsps", "rtmp", "rtmps", "git", "svn", "file", "s3", "gs"}
)
_HOST = re.compile(r"[A-Za-z0-9\[_\-.%]")


class UrlSearch:
    """Goes through one text from left to right; a stretch without blanks is measured once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._run_end = -1

    def advance(self, floor: int) -> tuple[int, int] | None:
        """The next password of a URL whose `://` is at `floor` or behind it."""
        text, position = self._text, floor
        while (at := text.find(_COLON, position)) >= 0:
            position = at + len(_COLON)
            user = _USER.match(text, position)
            if user is None:
                continue
            span = self._password(at, user.end())
            if span is not None and not is_harmless(text[slice(*span)]):
                return span
        return None

    def _password(self, at: int, start: int) -> tuple[int, int] | None:
        text = self._text
        end = self._end_of_run(start)
        following = text.find(_COLON, start, end)
        if following >= 0:
            end = following
        if start >= end:
            return None
        scheme = _SCHEME.search(text[max(0, at - 32) : at])
        name = scheme[0].lower().rpartition("+")[0] or scheme[0].lower() if scheme is not None else ""
        has_port = _PORT.match(text, start, end) is not None
        if name in _WEB or has_port:
            limit = min((i for i in (text.find(c, start, end) for c in "/?#") if i >= 0), default=end)
            last = text.rfind("@", start, limit)
            if last < 0 and not has_port:
                # A hash sign or a slash in a password, unescaped: the host must follow at once.
                last = text.rfind("@", start, end) if _is_odd_password(text[start:end]) else -1
        else:
            query = text.find("?", max(text.find("@", start, end), start), end)
            last = text.rfind("@", start, query if query >= 0 else end)
            last = text.rfind("@", start, end) if last < 0 else last
        if last <= start or not _HOST.match(text, last + 1, end):
            return None
        return start, last

    def _end_of_run(self, start: int) -> int:
        if start >= self._run_end:
            run = _RUN.match(self._text, start)
            self._run_end = run.end() if run is not None else start
        return self._run_end


def _is_odd_password(rest: str) -> bool:
    head, _, tail = rest[:256].rpartition("@")
    return 3 <= len(head) <= 128 and head.count("/") <= 1 and "." in tail[:64] and not head[:1].isspace()
