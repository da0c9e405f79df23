"""Looks behind encodings once: URL escapes, JSON escapes, Base64; what is found is led back to the text."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from telecine.logging.redaction.rules import Trigger

_JSON_ESCAPE = re.compile(r"\\u((?!00[0189]|[dD][89a-fA-F])[0-9a-fA-F]{4})")
# Signs behind a name, and letters, which nobody needs to escape.
_URL_TELLING = r"%(?:25){0,3}(?:3[aAdD]|22|5[bB]|[46][1-9a-fA-F]|[57][0-9aA])"
_URL_SIGN = re.compile(_URL_TELLING)
_URL_ESCAPE = re.compile(r"((?:%(?:25){0,3}[0-9a-fA-F]{2})+)|\+")
_URL_BYTE = re.compile(r"%(?:25){0,3}([0-9a-fA-F]{2})")
# Four letters of Base64 that stand for three bytes of printable ASCII: hashes and ids have no rows of them.
_PRINTABLE_QUANTUM = "[I-Za-f][C-HS-Xi-nyz0-3][AEIMQUYcgkosw048BFJNRVZdhlptx159][A-Za-z0-9+/_-]"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}", re.ASCII)
_PRINTABLE = re.compile(f"(?:{_PRINTABLE_QUANTUM}){{4}}", re.ASCII)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_FEW = 0.1
"""The share of control characters that a text may have."""

_TELLING = (
    *(
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "api_key",
        "apikey",
        "api-key",
        "access_key",
        "accesskey",
    ),
    *("private", "credential", "authorization", "cookie", "bearer", "basic ", "pwd=", 'pwd"', "jwt", "auth="),
)
_TOKENS = (
    *(
        "AKIA",
        "ASIA",
        "ghp_",
        "gho_",
        "ghs_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "sk_live_",
        "sk-proj",
        "sk-ant",
    ),
    *(
        "AIza",
        "hf_",
        "npm_",
        "eyJ",
        "-----BEGIN",
        "hvs.",
        "dop_v1_",
        "SG.",
        "ATATT3",
        "pypi-AgE",
        "GOCSPX-",
        "://",
    ),
)
_SHORTEST = 4


def _base64_literals() -> list[str]:
    """What words that tell of secrets leave in Base64, at each of the three places where they may begin.

    JSON objects in Base64 begin like JSON Web Tokens do, and are seen with these.
    """
    cases = dict.fromkeys(form for word in _TELLING for form in (word, word.upper(), word.title()))
    literals = set()
    for word in (*cases, *_TOKENS):
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + word.encode()).decode().rstrip("=")
            # Letters that the bytes before and behind decide in part are left out.
            end = (offset + len(word)) * 8 // 6
            literals.add(encoded[(0, 2, 3)[offset] : end])
    return sorted(literal for literal in literals if len(literal) >= _SHORTEST)


TRIGGERS = (
    Trigger(r"\\u00[2-7]", ("\\u00",)),
    Trigger(r"\\/", ("\\/",)),
    Trigger(_URL_TELLING, ("%",)),
    *(Trigger(literal, (literal.lower(),)) for literal in _base64_literals()),
)
"""Escapes that can hide a key or a token from the scan: such a line is opened."""


class View(NamedTuple):
    """A text as it reads behind its escapes."""

    text: str
    offsets: list[int]
    """Offset in the original of each character, and of the end."""


def without_json_escapes(text: str) -> str:
    """Letters that were written as `\\u0041`, also those of other alphabets."""
    return _JSON_ESCAPE.sub(lambda m: chr(int(m[1], 16)), text) if "\\u" in text else text


def url_view(text: str) -> View | None:
    """The text with its URL escapes decoded, doubled ones too; None: it has none that matter."""
    if "%" not in text or _URL_SIGN.search(text) is None:
        return None
    pieces: list[str] = []
    offsets: list[int] = []
    done = 0
    for match in _URL_ESCAPE.finditer(text):
        start, end = match.span()
        pieces.append(text[done:start])
        offsets.extend(range(done, start))
        if match[1] is None:
            pieces.append(" ")
            offsets.append(start)
        else:
            places = [(m.start(), int(m[1], 16)) for m in _URL_BYTE.finditer(text, start, end)]
            raw = bytes(byte for _, byte in places)
            decoded = raw.decode("latin-1") if not _is_utf8(raw) else raw.decode()
            at = 0
            for char in decoded:
                offsets.append(places[at][0])
                at += len(char.encode()) if len(decoded) != len(raw) else 1
            pieces.append(decoded)
        done = end
    pieces.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return View("".join(pieces), offsets)


def base64_stretches(text: str) -> Iterator[tuple[int, int, str]]:
    """Each stretch of Base64 that stands for text: where it begins and ends, and the text."""
    position = 0
    while (seen := _PRINTABLE.search(text, position)) is not None:
        before = text[position : seen.start()]
        run = len(before) - len(before.rstrip(_ALPHABET))
        # Four letters are three bytes: where the printable rows begin, the others do too.
        start = seen.start() - run // 4 * 4
        position = seen.end()
        for begin in dict.fromkeys((start, seen.start())):
            match = _BASE64.match(text, begin)
            decoded = decoded_text(match[0]) if match is not None else None
            if match is not None:
                position = match.end()
            if match is not None and decoded is not None:
                yield begin, match.end(), decoded
                break


def decoded_text(encoded: str) -> str | None:
    """The text that Base64 stands for; None: it stands for none."""
    body = encoded.rstrip("=").translate(_STANDARD)
    body = body[: len(body) - (len(body) % 4 == 1)]
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    text = raw.decode("utf-8", "replace")
    controls = sum(map(text.count, _CONTROLS)) + text.count("\ufffd")
    return text if controls <= _FEW * len(text) else None


_STANDARD = str.maketrans("-_", "+/")
_CONTROLS = tuple(chr(code) for code in (*range(9), 11, 12, *range(14, 32)))


def encoded_like(encoded: str, text: str) -> str:
    """Base64 of the text, in the alphabet of `encoded`."""
    raw = text.encode("utf-8", "surrogatepass")
    is_for_urls = "-" in encoded or "_" in encoded
    return (base64.urlsafe_b64encode if is_for_urls else base64.b64encode)(raw).decode()


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
