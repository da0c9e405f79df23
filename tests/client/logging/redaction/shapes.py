"""Texts that are hard on a search: made of the rules' own beginnings, near misses, secrets without a gap."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterator

from telecine.logging.redaction.rule_pack import DEFAULT_PACK

_SEPARATORS = ("", " ", "-", "_", ".", "/", "=", '"', "\\", "@")
_ENDS = ("", "=", ": ", "=x ", "=[", '="', "='", " is ", "<", ">", "=\\", '\\":\\"', " => ", "=***")
_QUOTES = ('"', "'", '\\"', '\\\\\\"', "`")


def shapes() -> Iterator[tuple[str, str]]:
    """Name and piece; a piece repeated to any length is a shape."""
    for rule in DEFAULT_PACK.values:
        for index, example in enumerate(rule.matches[:2]):
            half = example[: max(3, len(example) // 2)]
            for separator in _SEPARATORS:
                yield f"{rule.id} {index} chained by {separator!r}", example + separator
            yield f"{rule.id} {index} near miss", example[:-1]
            yield f"{rule.id} {index} half", half
            yield f"{rule.id} {index} beginning", example[:4]
            yield f"{rule.id} {index} growing", half + example[-4:]
    for key_rule in DEFAULT_PACK.keys:
        for key in key_rule.matches[:2]:
            for end in _ENDS:
                yield f"key {key}{end}", key + end
            yield f"option {key}", f"--{key} "
            yield f"tag {key}", f"<{key}>"
            yield f"open tag {key}", f"<{key} a"
            for quote in _QUOTES:
                yield f"quoted {key}{quote}", f"{quote}{key}{quote}:{quote}"
                yield f"named {key}{quote}", f"{quote}name{quote}:{quote}{key}{quote},"
    for piece in _OTHERS:
        yield f"other {piece[:24]!r}", piece
        yield f"url {piece[:24]!r}", urllib.parse.quote(piece, safe="", errors="surrogatepass")
        yield f"base64 {piece[:24]!r}", base64.b64encode(piece.encode("utf-8", "surrogatepass") * 8).decode()


_OTHERS = (
    "password=",
    "\\",
    '\\"',
    "{",
    "[",
    '{"a":',
    '["a",',
    "'",
    '"',
    "a",
    "aB1",
    "4111 ",
    "41111111111111111",
    "%",
    "%3D",
    "%253D",
    "%41",
    "+",
    "\\u0041",
    "\\u0070assword=",
    "pass\u200bword=",
    "\u200b",
    "р",
    "рassword=x",
    "ｐ",
    "é",
    "a\u0301",
    "://",
    "://:",
    "://a:b@",
    "://a:",
    "http://a:b/",
    "postgres://u:p/@",
    "@",
    "a@b.c",
    "a.b.",
    "eyJ",
    "eyJa.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "mysql ",
    "mysql -p",
    "curl -u a:",
    "curl -u ",
    "docker login -p ",
    "login ",
    "7z a -p",
    "Bearer ",
    "Basic AAAA",
    "Basic dXNlcjpwYXNz ",
    "?sig=",
    "&code=a",
    "DE89",
    "DE89 3704 0044 ",
    "AB12CDEF",
    "1.2.3.",
    "::",
    "[a",
    "(password, ",
    "password | \n",
    "password: |\n  a\n",
    "password: |\n",
    "token: [",
    "cookie: ",
    "cookie: a=",
    "authorization: digest ",
    "arn:aws:secret:",
    "\x1b[0m",
    "password\x1b[0m=",
    "\n",
    "\r\n",
    " ",
    "\t",
    "=",
    ":",
    "=>",
    "-",
    "_",
    "passwordpassword",
    "pass_word_",
    "secret-secret-",
    "api.key.",
    "A" * 16,
    "Zm9v",
    "cGFzc3dvcmQ9",
    "QUtJQ",
    "\ud800",
    "***redacted***",
    "***redacted***AKIAIOSFODNN7EXAMPLE",
    "AKIAIOSFODNN7EXAMPLE4111111111111111",
)

_OPENERS = (
    *("=", "=[", "=(", ": ", ": [", ": {", ": |\n  ", ': "', "='''", " => ", "\t", "\t{", "\t[", "\t|", "|"),
    *("|{", " .... ", ">", "> ", '">x ', "','", "', '", "': '", '": ["', " is ", "('", '","value":"', ",a\n"),
    *("=digest ", "\tdigest ", "=a=b ", "\ta=b ", "=x\\", "|`"),
)
"""What begins a value behind a name; the value may be closed much later, or never."""
_BLOCK_BEGINNING = "-----BEGIN PRIVATE " + "KEY-----"
_SECONDS = (
    "",
    "aaaa" + _BLOCK_BEGINNING,
    "AKIA",
    "mysql -p",
    "://a:",
    "-u a:",
    "Private-Lines: 1\n",
    "{",
    "'",
    "a ",
)
_BEFORE = ("", "['--", '"', "<", ":", 'name="', "mysql -p", "AKIA", "-----BEGIN PRIVATE " + "KEY-----\n")
"""What a name may stand behind, and what another rule begins with."""


def combined_shapes() -> Iterator[tuple[str, str]]:
    """Two rules' beginnings in one piece: a name's value that holds another's beginning and never ends.

    A name for each way in which its values are judged, for these decide alone what a name is read on for.
    """
    names: dict[tuple[object, ...], str] = {}
    for rule in DEFAULT_PACK.keys:
        if rule.phrases[0].isascii():
            kind = (rule.check, rule.keeps_numbers, rule.keeps_paths, rule.is_prose)
            named = rule.id if rule.id in ("authorization", "cookie", "credentials") else ""
            names.setdefault((kind, named), rule.phrases[0].replace(" ", "_"))
    for name in names.values():
        for opener in _OPENERS:
            for second in _SECONDS:
                yield f"{name}{opener!r} holds {second!r}", name + opener + second
            for before in _BEFORE[1:]:
                yield f"{name}{opener!r} behind {before!r}", before + name + opener
