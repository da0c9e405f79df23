"""Tells source code from secrets: tracebacks show lines such as `token = self.next_token()`."""

from __future__ import annotations

import re
from collections.abc import Callable

_CHAIN = re.compile(
    r"(?:(?:await|new|&|\*)[ \t]?)?(?P<first>[A-Za-z_$]+)"
    r"(?P<rest>(?:(?:\.|->|::)[A-Za-z_$]+){0,8})(?P<open>[\[(]?)",
    re.ASCII,
)
_NAME = re.compile(r"[bruf]{0,2}([\"'])(?P<name>[A-Za-z _.:?-]{1,64})\1", re.ASCII)
_INNER = re.compile(r"(?:[A-Za-z_][A-Za-z_.]{0,64})?(?:[\])]|,[ \t])", re.ASCII)
_LAST = re.compile(r"[A-Za-z_$]+$", re.ASCII)
_ENDS = frozenset(" \t\r\n\"'\\,;&<>)}]")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z]+)+")


def is_code(text: str, start: int, name: str, sign: str, is_key: Callable[[str], bool]) -> bool:
    """Whether an expression stands at `start`, behind a name and its sign, rather than a value.

    It is one that names what it takes the value from: a call, an index, a field of the same meaning.
    Digits occur in none of its names: what has them may be a password.
    """
    chain = _CHAIN.match(text, start)
    if chain is None:
        return False
    if chain["open"]:
        inner = _NAME.match(text, chain.end())
        if inner is not None:
            literal = inner["name"]
            is_prompt = literal.rstrip(" ").endswith((":", "?"))
            return is_prompt or _CONSTANT.fullmatch(literal) is not None or is_key(literal)
        is_spaced = sign[:1] in " \t" or sign[-1:] in " \t"
        return (is_spaced or bool(chain["rest"])) and _INNER.match(text, chain.end()) is not None
    end = chain.end() + text.startswith((":\n", ":\r", ":\\n"), chain.end())
    if end < len(text) and text[end] not in _ENDS and not (text[end] == ":" and end + 1 == len(text)):
        return False
    if chain["rest"]:
        last = _LAST.search(chain["rest"])
        return last is not None and is_key(last[0])
    # `password=password`, `self.token = token`.
    own = _LAST.search(name)
    return own is not None and own[0] == chain["first"]


def closes_a_text(text: str, before: str, at: int, sign: str) -> bool:
    """Whether the quote at `at` ends the text in which the name stands: `getpass("Password: ")`."""
    if (
        sign[-1:] in ":>="
        and text[at + 1 : at + 2] in (",", "]", "}")
        and text[at + 2 : at + 3] in (" ", '"', ",", "]", "}")
    ):
        # The last word of a text in a list: `"New password:", "ada"`.
        return True
    quote = before[-1:]
    if quote not in ("'", '"') or quote in sign or text[at : at + 1] != quote:
        return False
    following = text[at + 1 : at + 2]
    return not following or following in "),;]}\r\n"
