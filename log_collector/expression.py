"""The condition language of filters and routes: comparisons over fields, joined by and, or, not."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import re2
from telecine.logging.catalogue import LEVEL_ALIASES

MAX_CHARS: Final = 4096
_MAX_DEPTH: Final = 50

Fields: TypeAlias = Mapping[str, Any]
Condition: TypeAlias = Callable[[Fields], bool]
Value: TypeAlias = str | int | float | bool | None

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>!=|<=|>=|==|=|<|>)
      | (?P<bracket>[()\[\],])
      | (?P<word>[^\s()\[\],=<>!"']+)
    )""",
    re.VERBOSE,
)
_WHOLE: Final = re.compile(r"-?[0-9]{1,40}")
_FRACTION: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "contains", "matches"})
_CONSTANTS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None}
_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ABSENT: Final = object()


class ExpressionError(ValueError):
    """The text is no condition; the message says where and what was expected."""


def compile_expression(text: str) -> Condition:
    """Returns the condition that a text states. Raises ExpressionError.

    A field that is absent makes its comparison false. Numbers are compared as numbers where both sides
    are, levels by their severity, everything else as text.
    """
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"has {len(text)} characters, the limit is {MAX_CHARS}")
    parser = _Parser(_tokens(text))
    condition = parser.alternatives(0)
    parser.expect_end()
    return condition


class _Token:
    __slots__ = ("at", "is_quoted", "text")

    def __init__(self, text: str, at: int, *, is_quoted: bool) -> None:
        self.text = text
        self.at = at
        self.is_quoted = is_quoted

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords or signs."""
        return not self.is_quoted and self.text.lower() in words


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"cannot be read at character {at + 1}: {text[at : at + 20]!r}")
        string = match["string"]
        if string is not None:
            found.append(_Token(re.sub(r"\\(.)", r"\1", string[1:-1]), match.start("string"), is_quoted=True))
        else:
            plain = match["operator"] or match["bracket"] or match["word"]
            found.append(_Token(plain, match.end() - len(plain), is_quoted=False))
        at = match.end()
    return found


class _Parser:
    """Recursive descent: alternatives of conjunctions of comparisons."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def alternatives(self, depth: int) -> Condition:
        """a or b or c"""
        parts = [self._conjunction(depth)]
        while self._take("or"):
            parts.append(self._conjunction(depth))
        if len(parts) == 1:
            return parts[0]
        return lambda fields: any(part(fields) for part in parts)

    def expect_end(self) -> None:
        """Raises where anything is left."""
        if self._next < len(self._tokens):
            raise self._fault("and, or, or the end")

    def _conjunction(self, depth: int) -> Condition:
        parts = [self._unary(depth)]
        while self._take("and"):
            parts.append(self._unary(depth))
        if len(parts) == 1:
            return parts[0]
        return lambda fields: all(part(fields) for part in parts)

    def _unary(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise ExpressionError(f"is nested deeper than {_MAX_DEPTH}")
        if self._take("not"):
            inner = self._unary(depth + 1)
            return lambda fields: not inner(fields)
        if self._take("("):
            inner = self.alternatives(depth + 1)
            if not self._take(")"):
                raise self._fault('")"')
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        field = self._value_token("a field's name")
        read = _reader(field.text)
        sign = self._peek()
        if sign is None or sign.is_quoted:
            raise self._fault("an operator: = != < <= > >= contains matches in")
        self._next += 1
        name = sign.text.lower()
        if name == "in":
            return _is_in(read, self._list(field.text))
        if name in ("=", "==", "!=") or name in _ORDERS:
            return _comparison_of(name, read, self._value(field.text))
        if name == "contains":
            return _contains(read, self._value_token("a text").text)
        if name == "matches":
            return _matches(read, self._value_token("a regular expression").text)
        self._next -= 1
        raise self._fault("an operator: = != < <= > >= contains matches in")

    def _list(self, field: str) -> list[Value]:
        closing = ")" if self._take("(") else "]" if self._take("[") else ""
        if not closing:
            raise self._fault('"(" and the values')
        values = [self._value(field)]
        while self._take(","):
            values.append(self._value(field))
        if not self._take(closing):
            raise self._fault(f'"," or "{closing}"')
        return values

    def _value(self, field: str) -> Value:
        token = self._value_token("a value")
        if field == "level":
            level = LEVEL_ALIASES.get(token.text.upper())
            if level is None:
                raise ExpressionError(f"{token.text!r} is no level")
            return int(level)
        return token.text if token.is_quoted else _constant(token.text)

    def _value_token(self, expected: str) -> _Token:
        token = self._peek()
        is_value = token is not None and (
            token.is_quoted or not (token.is_word(*_KEYWORDS) or _TOKEN.fullmatch(token.text)["word"] is None)  # type: ignore[index]  # a token matches
        )
        if token is None or not is_value:
            raise self._fault(expected)
        self._next += 1
        return token

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, word: str) -> bool:
        token = self._peek()
        if token is None or not token.is_word(word):
            return False
        self._next += 1
        return True

    def _fault(self, expected: str) -> ExpressionError:
        token = self._peek()
        where = f"before {token.text!r} (character {token.at + 1})" if token else "at the end"
        return ExpressionError(f"expected {expected} {where}")


def _constant(text: str) -> Value:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _FRACTION.fullmatch(text) else text


def _reader(name: str) -> Callable[[Fields], Any]:
    """Reads a field; a dotted name that is no field itself leads into nested objects."""
    if name == "level":
        return lambda fields: LEVEL_ALIASES.get(str(fields.get("level")).upper(), _ABSENT)
    if "." not in name:
        return lambda fields: fields.get(name, _ABSENT)
    steps = name.split(".")

    def read(fields: Fields) -> Any:
        found: Any = fields.get(name, _ABSENT)
        if found is not _ABSENT:
            return found
        found = fields
        for step in steps:
            if not isinstance(found, Mapping) or step not in found:
                return _ABSENT
            found = found[step]
        return found

    return read


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _is_equal(found: object, value: Value) -> bool:
    if _is_number(found) and _is_number(value):
        return found == value
    return _text(found) == _text(value)


def _comparison_of(sign: str, read: Callable[[Fields], Any], value: Value) -> Condition:
    if sign in ("=", "=="):
        return lambda fields: (found := read(fields)) is not _ABSENT and _is_equal(found, value)
    if sign == "!=":
        return lambda fields: (found := read(fields)) is not _ABSENT and not _is_equal(found, value)
    order = _ORDERS[sign]

    def compare(fields: Fields) -> bool:
        found = read(fields)
        if found is _ABSENT or found is None or value is None:
            return False
        if _is_number(found) and _is_number(value):
            return order(found, value)
        if _is_number(found) or _is_number(value):
            return False
        return order(_text(found), _text(value))

    return compare


def _is_in(read: Callable[[Fields], Any], values: list[Value]) -> Condition:
    return lambda fields: (found := read(fields)) is not _ABSENT and any(_is_equal(found, v) for v in values)


def _contains(read: Callable[[Fields], Any], text: str) -> Condition:
    folded = text.casefold()
    return lambda fields: (found := read(fields)) is not _ABSENT and folded in _text(found).casefold()


def _matches(read: Callable[[Fields], Any], pattern: str) -> Condition:
    options = re2.Options()
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ExpressionError(f"{pattern!r} is no regular expression: {reason}") from error
    return lambda fields: (found := read(fields)) is not _ABSENT and search(_text(found)) is not None
