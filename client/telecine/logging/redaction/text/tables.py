"""Finds secrets that a column names: `INSERT … (name, password) VALUES …`, CSV, tables of terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from telecine.logging.redaction.rules import KeyRule
from telecine.logging.redaction.text.checks import is_generated, is_password_like, is_secret_value
from telecine.logging.redaction.text.secret_keys import SecretKeys

_INSERT = re.compile(
    r"(?i:insert\s{1,8}(?:ignore\s{1,8})?into|replace\s{1,8}into)\s{1,8}[^\s(]{1,128}\s{0,8}"
    r"\((?P<columns>[^()]{1,2048})\)\s{0,8}(?i:values)\s{0,8}"
)
_TUPLE = re.compile(r"\s{0,8},?\s{0,8}\(")
_ITEM = re.compile(
    r"\s{0,8}(?:[NEnbBx]?'(?P<single>(?:[^'\\]|''|\\.){0,4096})'|\"(?P<double>(?:[^\"\\]|\\.){0,4096})\""
    r"|(?P<bare>[^,()'\"]{0,256}(?:\([^()]{0,256}\))?))\s{0,8}(?P<end>[,)]|$)",
    re.DOTALL,
)
_COPY = re.compile(
    r"(?i:copy)\s{1,8}[^\s(]{1,128}\s{0,8}\((?P<columns>[^()]{1,2048})\)\s{1,8}(?i:from)\s{1,8}(?i:stdin)[^\n]{0,128}\n"
)
_CELL = r"[\"'`]?[\w.\-](?:[\w.\- ]{0,62}[\w.\-])?[\"'`]?"
_HEADER = re.compile(
    rf"^[ \t]{{0,40}}[|│┃]?[^\n,;\t|│┃]{{1,96}}(?P<sign>[,;\t|│┃])[ ]{{0,40}}{_CELL}"
    rf"(?:[ ]{{0,40}}(?P=sign)[ ]{{0,40}}{_CELL}){{0,62}}[ ]{{0,40}}[|│┃]?[ \t]{{0,40}}\r?\n",
    re.MULTILINE,
)
_RULE_LINE = re.compile(r"[ \t]{0,40}[-+|=:─┼├┤╪═│┃ \t]{3,4096}\r?\n")
_MOST_ROWS = 10_000
_QUOTES = " \t\"'`[]"


class Column(NamedTuple):
    """Where a secret stands in a table, and what its column's rule is."""

    start: int
    end: int
    rule: KeyRule


class TableSearch:
    """Goes through one text from left to right; each table is read once."""

    def __init__(self, text: str, keys: SecretKeys) -> None:
        self._keys = keys
        self._read: dict[tuple[str, int, int, str], int] = {}
        """How far a column was read, by its table's sign and width, its place and its rule."""
        # Line ends and tabs that are written as escapes, in as many letters.
        self._text = text if "\n" in text else text.replace("\\n", " \n").replace("\\t", " \t")
        self._found = self._all()
        self._next: Column | None = None

    def advance(self, floor: int) -> Column | None:
        """The next secret of a table that begins at `floor` or behind it."""
        while self._next is None or self._next.start < floor:
            self._next = next(self._found, None)
            if self._next is None:
                self._found = iter(())
                return None
        return self._next

    def _all(self) -> Iterator[Column]:
        """All of them in their order: each kind is looked for by itself."""
        found = [*self._of_inserts(), *self._of_copies(), *self._of_lines()]
        return iter(sorted(found, key=lambda column: column.start))

    def _rules(self, names: list[str]) -> dict[int, KeyRule]:
        rules: dict[int, KeyRule] = {}
        for index, name in enumerate(names):
            bare = name.strip(_QUOTES)
            rule = self._keys.rule_for(bare) if self._keys.is_whole(bare) else None
            if rule is not None:
                rules[index] = rule
        return rules

    def _of_inserts(self) -> Iterator[Column]:
        for match in _INSERT.finditer(self._text):
            rules = self._rules(match["columns"].split(","))
            position = match.end()
            while rules and (opened := _TUPLE.match(self._text, position)) is not None:
                position = opened.end()
                index = 0
                while (item := _ITEM.match(self._text, position)) is not None:
                    position = item.end()
                    group = "single" if item["single"] is not None else "double"
                    rule = rules.get(index)
                    if rule is not None and item[group] and is_secret_value(rule, item[group]):
                        yield Column(*item.span(group), rule)
                    index += 1
                    if item["end"] != ",":
                        break

    def _of_copies(self) -> Iterator[Column]:
        for match in _COPY.finditer(self._text):
            rules = self._rules(match["columns"].split(","))
            count = match["columns"].count(",") + 1
            yield from self._rows(match.end(), "\t", count, rules)

    def _of_lines(self) -> Iterator[Column]:
        position = 0
        while (match := _HEADER.search(self._text, position)) is not None:
            position = match.end()
            sign = match["sign"]
            names = match[0].strip("\r\n").split(sign)
            rules = self._rules(names)
            if not rules:
                continue
            ruled = _RULE_LINE.match(self._text, position)
            yield from self._rows(ruled.end() if ruled is not None else position, sign, len(names), rules)

    def _rows(self, position: int, sign: str, count: int, rules: dict[int, KeyRule]) -> Iterator[Column]:
        """The secrets of the rows that begin at `position`, as long as they have as many cells."""
        text = self._text
        # A row may be the header of a table itself: what was read as rows of the same form is not read again.
        places = {index: (sign, count, index, rule.id) for index, rule in rules.items()}
        rules = {index: rule for index, rule in rules.items() if self._read.get(places[index], 0) <= position}
        for _ in range(_MOST_ROWS if rules else 0):
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            cells = text[position:end].split(sign)
            if len(cells) != count or end < position:
                return
            self._read.update((places[index], end) for index in rules)
            start = position
            for index, cell in enumerate(cells):
                value = cell.strip(" \t\r\"'`")
                rule = rules.get(index)
                if (
                    rule is not None
                    and value
                    and (is_password_like(value) or is_generated(value))
                    and is_secret_value(rule, value)
                ):
                    begin = start + cell.index(value)
                    yield Column(begin, begin + len(value), rule)
                start += len(cell) + 1
            position = end + 1
