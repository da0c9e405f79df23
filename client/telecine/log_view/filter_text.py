"""Reads the filter that people type into one line, such as `level:warning service:worker timed out`.

A filter is a row of terms with blanks between them; a record must pass all of them:

    level:warning          this level or above
    service:worker         repeated: any of these
    logger:app.db          this logger and those below it; repeated: any of these
    stage:encode:*         a stage, or all that begin so; repeated: any of these
    job:42                 a job; so does every id of the field catalogue: request_id:7f
    duration_ms>500        a field compared with a value: = != < <= > >=
    where:"a > 1 or b = 2" a condition of the collector's own language
    anything else          text anywhere in the record; "in quotation marks" as it stands
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from telecine.clients.logs import LogFilter
from telecine.logging.catalogue import ID_FIELDS, LEVEL_ALIASES, Level

_TERM: Final = re.compile(
    r"""(?:(?P<key>[A-Za-z_][\w.]*)(?P<sign>:|!=|<=|>=|=|<|>))?
        (?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]\S*)|)(?=\s|$)""",
    re.VERBOSE,
)
_UNCLOSED: Final = re.compile(r'[A-Za-z_][\w.]*(?::|!=|<=|>=|=|<|>)"')
_BLANKS: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_SHORT_KEYS: Final = {"job": "job_id", "request": "request_id", "user": "user_id", "artifact": "artifact_id"}


class FilterTextError(ValueError):
    """The text is no filter (yet); the message says what was expected."""


@dataclass(slots=True)
class _Parts:
    levels: list[Level] = field(default_factory=list)
    lists: dict[str, list[str]] = field(
        default_factory=lambda: {"service": [], "logger": [], "stage": [], "text": [], "where": []}
    )
    ids: dict[str, str] = field(default_factory=dict)


def parse_filter(text: str) -> LogFilter:
    """The filter that a line of text means; an empty line lets everything pass. Raises FilterTextError."""
    parts = _Parts()
    at = _skip_blanks(text, 0)
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or match.end() == at or _is_unclosed(match):
            raise FilterTextError(f'a quotation mark is not closed: {text[at : at + 20]}; write "like this"')
        _take(match, parts)
        at = _skip_blanks(text, match.end())
    conditions = parts.lists["where"]
    return LogFilter(
        min_level=max(parts.levels, default=None),
        services=tuple(parts.lists["service"]),
        loggers=tuple(parts.lists["logger"]),
        stages=tuple(parts.lists["stage"]),
        ids=parts.ids,
        text=" ".join(parts.lists["text"]),
        expression=joined(conditions) if conditions else "",
    )


def format_filter(wanted: LogFilter) -> str:
    """The line that `parse_filter` reads as this filter; its times are left out."""
    terms = [f"level:{wanted.min_level.name.lower()}"] if wanted.min_level else []
    for key, values in (("service", wanted.services), ("logger", wanted.loggers), ("stage", wanted.stages)):
        terms += [f"{key}:{_value_text(value)}" for value in values]
    for name, value in wanted.ids.items():
        terms.append(f"{'job' if name == 'job_id' else name}:{_value_text(value)}")
    if wanted.expression:
        terms.append(f"where:{_quoted(wanted.expression)}")
    if wanted.text:
        words = wanted.text.split(" ")
        is_plain = all(_is_plain_word(word) for word in words)
        terms.append(wanted.text if is_plain else _quoted(wanted.text))
    return " ".join(terms)


def joined(conditions: list[str]) -> str:
    """Conditions of the collector's language as one that holds where all of them do."""
    return conditions[0] if len(conditions) == 1 else " and ".join(f"({each})" for each in conditions)


def _take(match: re.Match[str], parts: _Parts) -> None:
    key, sign = match["key"], match["sign"]
    value = _unescaped(match["quoted"]) if match["quoted"] is not None else match["plain"] or ""
    if key is None:
        parts.lists["text"].append(value)
    elif sign != ":":
        _require(value, f"{key}{sign}", "a value")
        parts.lists["where"].append(f"{key} {sign} {_constant(value)}")
    elif key == "level":
        level = LEVEL_ALIASES.get(value.upper())
        if level is None:
            raise FilterTextError(f"level:{value} is no level; write debug, info, warning, error or critical")
        parts.levels.append(level)
    elif key in ("service", "logger", "stage", "where"):
        _require(value, f"{key}:", "a value")
        parts.lists[key].append(value)
    elif (name := _SHORT_KEYS.get(key, key)) in ID_FIELDS:
        _require(value, f"{key}:", "an id")
        if parts.ids.setdefault(name, value) != value:
            raise FilterTextError(f"{key}: stands there twice; a record has one {name}")
    else:
        # Not a key of ours: `https://host` and `pipeline:start` are looked for as they stand.
        parts.lists["text"].append(match[0])


def _require(value: str, before: str, what: str) -> None:
    if not value:
        raise FilterTextError(f"{before} needs {what} right behind it")


def _constant(value: str) -> str:
    return value if _NUMBER.fullmatch(value) or value in _CONSTANTS else _quoted(value)


def _value_text(value: str) -> str:
    is_plain = bool(value) and not value.startswith('"') and not any(map(str.isspace, value))
    return value if is_plain else _quoted(value)


def _is_plain_word(word: str) -> bool:
    match = _TERM.fullmatch(word)
    return match is not None and not match["key"] and match["plain"] == word and not _is_unclosed(match)


def _is_unclosed(match: re.Match[str]) -> bool:
    return match["key"] is None and bool(_UNCLOSED.match(match["plain"] or ""))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _skip_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at
