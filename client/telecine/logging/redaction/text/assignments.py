"""Finds secrets that running text names: `password=…`, `"api_key": "…"`, `--token …`, `<password>…`."""

from __future__ import annotations

import re
from typing import NamedTuple

from telecine.logging.redaction.rules import KeyRule, RulePack
from telecine.logging.redaction.text import forms, source_code
from telecine.logging.redaction.text.checks import (
    IS_MASK,
    NUMBER,
    STATE,
    is_generated,
    is_harmless,
    is_of_words,
    is_password_like,
    is_random,
    is_secret_value,
    is_token_like,
)
from telecine.logging.redaction.text.secret_keys import SecretKeys, phrase_search

_REACH = 64
"""Characters of a key to each side of the phrase in it."""
_LONGEST_PHRASE = 64
_SHORTEST = 3
_JUDGED = 8 << 10
"""Characters of a value without quotes that are looked at, where its form is asked for."""
_WINDOW = 64 << 10
_KEY_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_KEY_RUN = re.compile(r"[A-Za-z0-9_.\-]*", re.ASCII)
_QUOTE_END = re.compile(r"(?<!\\)(\\*)([\"'])")
_COLOUR = r"(?:\x1b\[[0-9;]{0,16}m){0,4}"
_SIGN = re.compile(
    _COLOUR
    # An index, as forms have it: `password[]=x`.
    + r"(?:\[[0-9]{0,4}\](?==))?"
    + r"(?:\\{0,64}[\"'`])?\*{0,2}\]?[ \t]{0,40}\\{0,2}(?:=>|={1,3}|:=|\?=|->|[:=])[ \t]{0,40}(?!=)"
    + _COLOUR,
    re.ASCII,
)
_OPTION_BLANK = re.compile(r"[ \t]{1,4}(?!-)", re.ASCII)
_OPTION_LINE = re.compile(r"(?:\r?\n|(?:\\r)?\\n)[ \t]{0,8}(?P<value>[^\s\"'\\,;&<>)}\]\-][^\s\"'\\]{3,255})")
"""A value on the line below its option, where each argument has a line."""
_OPTION_COMMA = re.compile(r"\\{0,64}[\"'][ \t]{0,4},\s{0,4}(?=[bru]{0,2}\\{0,64}[\"'])", re.ASCII)
_NAMED_VALUE = re.compile(
    r"\\{0,64}[\"']\s{0,4},?\s{0,4}(?:\\{0,64}[\"'])?(?i:value|val)(?:\\{0,64}[\"'])?\s{0,4}[:=]\s{0,4}"
)
_TAG_END = re.compile(r"(?:\s[^<>]{0,128})?>(?:<!\[CDATA\[|\s{0,32}<(?i:value|string)>)?")
_TAG_VALUE = re.compile(r"[^<\]]*(?:\](?!\]>)[^<\]]*)*")
_NEXT_ELEMENT = re.compile(r"</[A-Za-z]{1,16}>\s{0,8}<[A-Za-z]{1,16}>")
_ATTRIBUTE_END = re.compile(r"[\"'][^<>]{0,64}>")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*(?:\r?\n|\\n)[ \t]+")
_BLOCK_BODY = re.compile(r"[^\n]*(?:\n[ \t]+[^\n]+)*")
_PROSE = re.compile(
    r"[ \t]{1,4}(?:(?P<link>(?:(?:is|was|been|be|has[ \t]been)[ \t])?"
    r"(?:now[ \t]|set[ \t]to|changed[ \t]to|reset[ \t]to|entered|used|given)"
    r"|(?:is[ \t]generated[ \t])?(?:for|of)[ \t](?:user[ \t])?[^\s:,;=]{1,64}:|lautet|is|was|are|as"
    r"|to|of|=|:|—|–|e|es|est|ist|(?:provided|supplied|received):)"
    r"[ \t:]{0,4}(?<=[ \t:]))?(?P<quote>\\{0,64}[\"'`(“«\[<]?)(?P<value>[^\s\"'`”»\\,;<>()\[\]=/]{3,128})"
)
_PROSE_END = re.compile(r"\\{0,64}[\"'`]?(?:[\s.,;:!?)”»\]>\"'\\<]|$)")
_QUOTED = re.compile(r"[bruf]{0,2}(\\{0,64})([\"'`])", re.ASCII)
_WRAPPED = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,64}\([bru]{0,2}(\\{0,64})([\"'`])", re.ASCII)
_TEMPLATE = re.compile(
    r"\$\{[^{}\s]{0,128}\}|\$?\{\{[^{}\n]{0,128}\}\}|\$\([^()\n]{0,128}\)|%\([A-Za-z_]{1,40}\)s"
)
_BRACKETED = re.compile(r"[\[{(][^\]})]*[\]})]?")
_TRIPLE = re.compile(r"((?:\\{0,64}[\"']){3})(?:\r?\n|\\n)?")
_ARGUMENT = re.compile(r"[ ]?\((?:default:?[ ]|\s{0,4})[bru]{0,2}(\\{0,64})([\"'])", re.ASCII)
_SECOND = re.compile(r"(?:,[^\s,\"'\\;&|<>=:(){}\[\]\x1b]+)+", re.ASCII)
_BARE = re.compile(r"[^\s\"'\\,;&<>)}\]\x1b]+")
_LINE_SCHEME = re.compile(r"(?i:digest|aws4-hmac-sha256|hawk|ntlm|negotiate)\s")
_LINE = re.compile(r"[^\r\n]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}[ \t]{1,4}(?=[^\s\"'\\,;&<>)}\]])")
_CREDENTIALS = re.compile(r"[^\s\"'\\,;&<>)}\]]+")
_COOKIE_BEGINS = re.compile(r"[A-Za-z0-9!#$%&^_`|~.+-]{1,128}=")
_COOKIES = re.compile(r"[^\r\n\"'\\]+")
_PASSWORDS = frozenset({"password", "pwd", "credentials"})
_LINKS = frozenset({"is", "was", "=", ":", "provided:", "supplied:", "received:"})
_WORD = re.compile(r"[^\W\d_]{1,16}")
_HEADERS = frozenset({"authorization", "cookie"})
_IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+", re.ASCII)


class Named(NamedTuple):
    """Where a named secret stands, and which rule says so."""

    start: int
    end: int
    rule_id: str


class Assignments:
    """Finds the named secrets of one text after the other; holds no state between them."""

    def __init__(self, pack: RulePack, keys: SecretKeys) -> None:
        self.keys = keys
        self.phrases = phrase_search(pack.keys)

    def search(self, text: str) -> AssignmentSearch:
        """A search through one text."""
        return AssignmentSearch(self, text)


class AssignmentSearch:
    """Goes through one text from left to right; what was looked at once is not looked at again."""

    def __init__(self, assignments: Assignments, text: str) -> None:
        self._keys = assignments.keys
        self._phrases = assignments.phrases
        self._text = text
        self._reach = forms.Reach(text)
        lowered = text.lower()
        self._lowered = lowered if len(lowered) == len(text) else "".join(map(_lower, text))

    def advance(self, floor: int) -> Named | None:
        """The next named secret whose name begins at `floor` or behind it."""
        position = floor
        size = len(self._text)
        while position < size:
            # As much is searched by one call, which holds the interpreter while it runs.
            match = self._phrases.search(self._lowered, position, position + _WINDOW + _LONGEST_PHRASE)
            if match is None:
                position += _WINDOW
                continue
            found, position = self._look(match.start(), match.end(), floor)
            if found is not None:
                return found
        return None

    def at(self, floor: int) -> Named | None:
        """A named secret whose name begins right at `floor`, behind a mask."""
        run = _KEY_RUN.match(self._text, floor, floor + 2 * _REACH)
        end = run.end() if run is not None else floor
        match = self._phrases.search(self._lowered, floor, end + _LONGEST_PHRASE)
        is_near = match is not None and match.start() <= end
        return self._look(match.start(), match.end(), floor)[0] if match is not None and is_near else None

    def _look(self, start: int, end: int, floor: int) -> tuple[Named | None, int]:
        """The secret named by the phrase at `start`, and where to go on without it."""
        text = self._text
        limit = end + _REACH
        run = _KEY_RUN.match(text, end, limit)
        run_end = run.end() if run is not None else end
        if run_end == limit and text[run_end : run_end + 1] in _KEY_CHARACTERS and run_end < len(text):
            return None, end
        first = max(floor, start - _REACH)
        key_start = first + len(text[first:start].rstrip(_KEY_CHARACTERS))
        if key_start > first and text[key_start - 1] == "\\" and text[key_start] in "nrt":
            key_start += 1
        rule = self._keys.rule_for(text[key_start:run_end].strip("-."))
        if rule is None or (rule.id == "secret" and self._is_in_arn(key_start)):
            return None, run_end
        before = text[max(floor, key_start - 3) : key_start] or ("*" if key_start else "")
        span = self._span(rule, before, key_start, run_end)
        if span is None or span[0] >= span[1]:
            return None, run_end
        return Named(*span, rule.id), span[1]

    def _is_in_arn(self, start: int) -> bool:
        """Amazon names its stores `arn:aws:secretsmanager:…:secret:name`."""
        if self._text[start - 1 : start] != ":":
            return False
        at = self._text.rfind("arn:", max(0, start - 128), start)
        return at >= 0 and not any(map(str.isspace, self._text[at:start]))

    def _span(self, rule: KeyRule, before: str, start: int, end: int) -> tuple[int, int] | None:
        text = self._text
        sign = _SIGN.match(text, end)
        if sign is not None:
            return self._assigned(rule, before, text[start:end], sign)
        if text[end - 1 : end] > "\x7f" and (foreign := forms.AFTER_FOREIGN.match(text, end)) is not None:
            return self._looking(rule, foreign.span("value"))
        is_option = text.startswith("-", start) and (
            not before or not (before[-1].isalnum() or before[-1] == "_")
        )
        if is_option and (blank := _OPTION_BLANK.match(text, end)) is not None:
            return self._value(rule, blank.end(), "--" if text.startswith("--", start) else "-")
        if is_option and (line := _OPTION_LINE.match(text, end)) is not None:
            return self._looking(rule, line.span("value"))
        if before[-1:] in ("'", '"'):
            is_pair = is_option or before[:-1].rstrip("bru ")[-1:] in ("(", "[")
            comma = _OPTION_COMMA.match(text, end) if is_pair else None
            if comma is not None:
                span = self._value(rule, comma.end(), ",")
                return span if is_option or span is None or self._is_pair(rule, span) else None
            if (named := _NAMED_VALUE.match(text, end)) is not None:
                return self._value(rule, named.end(), ",")
        place = forms.place_of(text, start, end)
        if place is not None and (span := self._placed(rule, place)) is not None:
            return span
        if (element := self._element(before, start, end)) is not None:
            return self._content(rule, element)
        if before[-1:] in ("<", ":") and (tag := _TAG_END.match(text, end)) is not None:
            return self._content(rule, tag.end())
        if (call := _ARGUMENT.match(text, end)) is not None:
            return self._argument(rule, call)
        return self._prose(rule, text[start:end], end)

    def _placed(self, rule: KeyRule, place: forms.Place) -> tuple[int, int] | None:
        """A value behind something else than a sign."""
        if (template := _TEMPLATE.match(self._text, place.start)) is not None:
            return None if is_harmless(template[0]) else self._checked(rule, *template.span())
        span = self._value(rule, place.start, "=")
        if span is None or place.kind is forms.Kind.SURE:
            return span
        return self._looking(rule, span) if forms.ends_as(place.kind, self._text, span[1]) else None

    def _looking(self, rule: KeyRule, span: tuple[int, int]) -> tuple[int, int] | None:
        """The span if what stands there looks like a secret even without its name."""
        looks = is_password_like if rule.id in _PASSWORDS else is_generated
        is_secret = self._reach.judge(looks, *span, looks)
        return self._checked(rule, *span) if is_secret else None

    def _content(self, rule: KeyRule, start: int) -> tuple[int, int] | None:
        """What stands in an element; behind `<your-api-key>`, which is none, a text goes on."""
        end = self._reach.end(_TAG_VALUE, start)
        if end is None or self._text[start : min(start + 2, end)] in ('",', '"]', "',", "']"):
            return None
        is_closed = self._text.startswith(("</", "]]>", "\\u003c", "<!"), end)
        if not is_closed and self._reach.judge(_has_blank, start, end, _has_blank):
            return None
        return self._checked(rule, start, end)

    def _element(self, before: str, start: int, end: int) -> int | None:
        """Where the content begins of `<entry key="password">` and of what follows `<key>password</key>`."""
        match = None
        if before[-1:] == ">":
            match = _NEXT_ELEMENT.match(self._text, end)
        elif before[-1:] in ("'", '"') and self._text[max(0, start - 6) : start - 1].endswith(
            ("key=", "name=")
        ):
            match = _ATTRIBUTE_END.match(self._text, end)
        return match.end() if match is not None else None

    def _argument(self, rule: KeyRule, call: re.Match[str]) -> tuple[int, int] | None:
        """`PASSWORD('hunter2')`, but not `password("name")`."""
        span = self._checked(rule, call.end(), self._closing(call))
        return self._looking(rule, span) if span is not None else None

    def _assigned(self, rule: KeyRule, before: str, name: str, sign: re.Match[str]) -> tuple[int, int] | None:
        """`password=…`, unless what follows is source code, a selector of CSS or the end of a text."""
        text, start = self._text, forms.skipped_mark(self._text, sign.end())
        if forms.is_other_sign(text, name, sign[0], start):
            return None
        if (line := forms.NEXT_LINE.match(text, sign.end())) is not None:
            is_deeper = bool(line["indent"] or line["item"])
            is_item = line["item"] is not None and not is_generated(line["value"])
            return self._looking(rule, line.span("value")) if is_deeper and not is_item else None
        if rule.id == "credentials" and (pair := forms.CREDENTIALS.match(text, start)) is not None:
            return self._looking(rule, pair.span("value"))
        is_quoted = text[start : start + 1] in ("'", '"')
        if is_quoted and source_code.closes_a_text(text, before, start, sign[0]):
            return None
        if not is_quoted:
            is_selector = "]" in sign[0] and sign[0].strip()[-1:] == ":" and "=" not in sign[0]
            if is_selector or source_code.is_code(text, start, name, sign[0], self._is_key):
                return None
            template = _TEMPLATE.match(text, start)
            if template is not None and not is_harmless(template[0]):
                return self._checked(rule, *template.span())
            if template is not None and not _BARE.match(text, template.end(), template.end() + 1):
                return None
        span = self._value(rule, start, sign[0])
        return self._settled(rule, span, sign[0], is_quoted=is_quoted) if span is not None else None

    def _is_pair(self, rule: KeyRule, span: tuple[int, int]) -> bool:
        """Whether the second item of a list is the value of the first rather than the next word."""
        value = self._text[slice(*span)].strip("\"'\\")
        if is_of_words(value) or _WORD.fullmatch(value):
            return False
        looks = (
            is_password_like(value)
            or is_token_like(value)
            or (rule.id == "one_time_code" and value.isdigit())
        )
        if not forms.closes_pair(self._text, span[1]):
            return looks and not value.isdigit()
        return looks or rule.id in _HEADERS

    def _settled(
        self, rule: KeyRule, span: tuple[int, int], sign: str, *, is_quoted: bool
    ) -> tuple[int, int] | None:
        """The span of an assigned value as far as its sign and what follows leave it one."""
        if is_quoted:
            changed = forms.CHANGED.match(self._text, span[1])
            return span if changed is None else (span[0], changed.end())
        if forms.YAML_WORD.match(self._text[slice(*span)]):
            return None
        return self._looking(rule, span) if "->" in sign else span

    def _is_key(self, name: str) -> bool:
        return self._keys.rule_for(name) is not None and self._keys.is_whole(name)

    def _prose(self, rule: KeyRule, key: str, end: int) -> tuple[int, int] | None:
        """`the password is hunter2`, `bad password hunter2`."""
        if rule.id == "credentials" and (pair := forms.CREDENTIALS.match(self._text, end + 1)) is not None:
            return self._looking(rule, pair.span("value"))
        if not rule.is_prose:
            return None
        match = _PROSE.match(self._text, end)
        if match is None:
            return None
        start, value = match.start("value"), match["value"].rstrip(".:!?")
        stop = start + len(value)
        if (
            not value
            or not _PROSE_END.match(self._text, stop)
            or is_harmless(value)
            or STATE.fullmatch(value)
        ):
            return None
        is_number = value.isdigit()
        if rule.id == "one_time_code":
            return (start, stop) if is_number and match["link"] and 4 <= len(value) <= 10 else None
        if rule.id in _PASSWORDS:
            is_secret = is_password_like(value) or (is_number and match["link"] in ("is", "was", ":", "="))
        elif match["link"] is None and _IDENTIFIER.fullmatch(key):
            # A field that an error body quotes: "client_secret X is wrong"; "secret db-1" names one.
            is_secret = is_random(value)
        else:
            is_linked = match["link"] in _LINKS and is_token_like(value)
            is_bearer = self._lowered.endswith("bearer", 0, end)
            is_secret = is_linked or (not is_bearer and is_generated(value))
        return (start, stop) if is_secret else None

    def _value(self, rule: KeyRule, start: int, sign: str) -> tuple[int, int] | None:
        """Where the value stands, or None where it is harmless."""
        text = self._text
        if (triple := _TRIPLE.match(text, start)) is not None:
            end = text.find(triple[1], triple.end())
            return self._checked(rule, triple.end(), end if end >= 0 else len(text))
        quoted = _QUOTED.match(text, start) or _WRAPPED.match(text, start)
        if quoted is not None:
            return self._checked(rule, quoted.end(), self._closing(quoted))
        if (block := _BLOCK.match(text, start)) is not None:
            body_end = self._reach.end(_BLOCK_BODY, block.end())
            return self._checked(rule, block.end(), body_end or block.end())
        if rule.id == "cookie":
            return self._cookies(rule, start)
        unquoted_end = self._unquoted_end(rule, start)
        if unquoted_end is None:
            return None
        end = unquoted_end
        value = text[start : min(end, start + _JUDGED)]
        if STATE.fullmatch(value.rstrip(".:!?")):
            return None
        # `unexpected token: x`, the package `python3-jwt:all`.
        if ":" in sign and rule.keeps_numbers and not is_token_like(value):
            return None
        # `passwd=3` compares; `-pass val` explains.
        if (NUMBER.fullmatch(value) and len(value) < _SHORTEST) or (sign == "-" and value.isalpha()):
            return None
        if sign == "=" and rule.id in _PASSWORDS and self._is_word_before(start):
            # Two in one argument: `passwd=abc,123`; in `a=b,password=c,ro` other things follow.
            second = _SECOND.match(text, end)
            stop = second.end() if second is not None else end
            end = stop if stop == len(text) or text[stop].isspace() else end
        return self._checked(rule, start, end)

    def _unquoted_end(self, rule: KeyRule, start: int) -> int | None:
        """Where a value ends that stands in no quotes, or None where there is none."""
        text = self._text
        if text[start : start + 1] in ("[", "{", "("):
            return self._reach.end(_BRACKETED, start)
        if rule.id != "authorization":
            return self._reach.end(_BARE, start)
        if (scheme := _LINE_SCHEME.match(text, start)) is not None:
            return self._reach.end(_LINE, scheme.end())
        scheme = _SCHEME.match(text, start)
        return self._reach.end(_CREDENTIALS, scheme.end() if scheme is not None else start)

    def _is_word_before(self, start: int) -> bool:
        """Whether the assignment whose value begins here is a word of its own."""
        begins = max(self._text.rfind(" ", max(0, start - 2 * _REACH), start), 0)
        return not any(char in self._text[begins:start] for char in ",;&?\"'")

    def _cookies(self, rule: KeyRule, start: int) -> tuple[int, int] | None:
        if not _COOKIE_BEGINS.match(self._text, start) or forms.EMPTY_COOKIE.match(self._text, start):
            return None
        end = self._reach.end(_COOKIES, start)
        return self._checked(rule, start, end) if end is not None else None

    def _closing(self, opened: re.Match[str]) -> int:
        """Where the quote closes: with as many backslashes as it opened with, or with whole escapes more."""
        level, quote = len(opened[1]), opened[2]
        if quote == "`":
            end = self._text.find("`", opened.end())
            return len(self._text) if end < 0 else end
        for match in _QUOTE_END.finditer(self._text, opened.end()):
            extra = len(match[1]) - level
            if match[2] == quote and extra % (2 * (level + 1)) == 0:
                return match.end() - 1 - level if extra >= 0 else match.start()
            if match[2] == quote and extra < 0:
                return match.start()
        return len(self._text)

    def _checked(self, rule: KeyRule, start: int, end: int) -> tuple[int, int] | None:
        if IS_MASK.match(self._text, start, end):
            return None
        question = (rule.id, rule.check, rule.keeps_numbers, rule.keeps_paths)
        is_secret = self._reach.judge(question, start, end, lambda value: is_secret_value(rule, value))
        return (start, end) if is_secret else None


def _has_blank(value: str) -> bool:
    return any(map(str.isspace, value.strip()))


def _lower(char: str) -> str:
    lowered = char.lower()
    return lowered if len(lowered) == 1 else char
