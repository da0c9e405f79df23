"""Decides whether a stored line passes a filter: cheap byte tests first, fields only where those hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from telecine.logging.catalogue import ID_FIELDS, LEVEL_ALIASES, Level
from telecine.logging.record.reading import fields_of
from telecine.logs.v1 import logs_pb2

from log_collector import errors
from log_collector.expression import Condition, ExpressionError, compile_expression
from log_collector.processors.normalise import format_timestamp

_MAX_IDS: Final = 16
_MAX_VALUES: Final = 256
_MAX_TEXT_CHARS: Final = 1024
_LEVELS: Final[dict[int, Level]] = {
    logs_pb2.LEVEL_TRACE: Level.TRACE,
    logs_pb2.LEVEL_DEBUG: Level.DEBUG,
    logs_pb2.LEVEL_INFO: Level.INFO,
    logs_pb2.LEVEL_WARNING: Level.WARNING,
    logs_pb2.LEVEL_ERROR: Level.ERROR,
    logs_pb2.LEVEL_CRITICAL: Level.CRITICAL,
}


class Selector:
    """A filter of the contract, compiled. Immutable; safe to use from any thread."""

    def __init__(self, message: logs_pb2.RecordFilter, *, has_times: bool = True) -> None:
        """`has_times`: False where `since` and `until` are ignored. Raises ServiceError."""
        _check(message)
        self.since = _time(message.since) if has_times and message.HasField("since") else ""
        """As records state it; empty: no limit."""
        self.until = _time(message.until) if has_times and message.HasField("until") else ""
        self.min_level = int(_LEVELS.get(message.min_level, 0))
        self.services = frozenset(message.services)
        self.ids = dict(message.ids)
        self._stages = tuple(message.stages)
        self._loggers = tuple(message.loggers)
        self._text = message.text.lower()
        self._condition: Condition | None = None
        if message.expression:
            try:
                self._condition = compile_expression(message.expression)
            except ExpressionError as error:
                raise errors.invalid_field("filter.expression", str(error)) from error
        self.needles = self._find_needles()
        """One of each group stands in every line that passes, unless the line has escapes; folded to lower
        case where `folds_case`."""
        self.folds_case = bool(self._text)
        self.is_narrow = bool(
            self._stages
            or self._loggers
            or self._text
            or self._condition
            or self.ids
            or self.min_level
            or self.services
        )
        """Whether more than the time must be looked at."""
        self._tests = tuple(self._find_tests())
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(dict[str, Any]).decode

    def passes(self, line: bytes) -> str | None:
        """The record's timestamp where the line passes, else None."""
        try:
            fields = self._decode(line)
        except msgspec.MsgspecError:
            odd = fields_of(line)
            if odd is None:
                return None
            fields = odd
        timestamp = str(fields.get("timestamp", ""))
        if (self.since and timestamp < self.since) or (self.until and timestamp >= self.until):
            return None
        for test in self._tests:
            if not test(fields, line):
                return None
        return timestamp

    def _find_needles(self) -> list[tuple[bytes, ...]]:
        groups: list[tuple[bytes, ...]] = []
        if self._text:
            groups.append((_inside_json(self._text),))
        groups += [(_inside_json(value),) for value in self.ids.values()]
        if self.min_level > Level.INFO:
            groups.append(tuple(b'"%b"' % x.name.encode() for x in Level if x >= self.min_level))
        if self._stages:
            groups.append(tuple(_inside_json(stage.removesuffix("*")) for stage in self._stages))
        if self._text:
            # Lines are folded as a whole, so everything that is looked for is.
            groups = [tuple(needle.lower() for needle in group) for group in groups]
        return [group for group in groups if all(group)]

    def _find_tests(self) -> Sequence[Callable[[dict[str, Any], bytes], bool]]:
        tests: list[Callable[[dict[str, Any], bytes], bool]] = []
        if self.min_level:
            levels = {name for name, level in LEVEL_ALIASES.items() if level >= self.min_level}
            tests.append(lambda fields, _: fields.get("level") in levels)
        if self.services:
            tests.append(lambda fields, _: fields.get("service") in self.services)
        for name, value in self.ids.items():
            tests.append(lambda fields, _, name=name, value=value: str(fields.get(name, "")) == value)  # type: ignore[misc]  # defaults bind the loop's values
        if self._stages:
            exact = {s for s in self._stages if not s.endswith("*")}
            begins = tuple(s[:-1] for s in self._stages if s.endswith("*"))
            tests.append(lambda fields, _: _is_stage(fields.get("stage"), exact, begins))
        if self._loggers:
            names = frozenset(self._loggers)
            below = tuple(f"{name}." for name in self._loggers)
            tests.append(lambda fields, _: _is_logger(fields.get("logger"), names, below))
        if self._text:
            text = self._text
            tests.append(lambda fields, line: text in _folded(fields, line))
        if self._condition is not None:
            condition = self._condition
            tests.append(lambda fields, _: condition(fields))
        return tests


def _folded(fields: dict[str, Any], line: bytes) -> str:
    """The line in lower case, its characters as they are read rather than escaped."""
    if b"\\u" in line:
        line = msgspec.json.encode(fields)
    return line.decode("utf-8", "replace").lower()


def _is_stage(stage: object, exact: set[str], begins: tuple[str, ...]) -> bool:
    return isinstance(stage, str) and (stage in exact or (bool(begins) and stage.startswith(begins)))


def _is_logger(logger: object, names: frozenset[str], below: tuple[str, ...]) -> bool:
    return isinstance(logger, str) and (logger in names or logger.startswith(below))


def _inside_json(text: str) -> bytes:
    """The text as it stands in a JSON string, where only plain characters are sure to stand as they are."""
    plain = text if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text else ""
    # A slash may be written as \/.
    return max(plain.split("/"), key=len).encode()


def _time(timestamp: Timestamp) -> str:
    try:
        return format_timestamp(timestamp.ToNanoseconds())
    except ValueError as error:
        raise errors.invalid_field("filter.since", f"expected {error}") from error


def _check(message: logs_pb2.RecordFilter) -> None:
    if len(message.ids) > _MAX_IDS:
        raise errors.invalid_field("filter.ids", f"expected at most {_MAX_IDS}")
    for name in message.ids:
        if name not in ID_FIELDS:
            raise errors.invalid_field("filter.ids", f"expected one of {', '.join(ID_FIELDS)}")
    for field in ("services", "stages", "loggers"):
        if len(getattr(message, field)) > _MAX_VALUES:
            raise errors.invalid_field(f"filter.{field}", f"expected at most {_MAX_VALUES}")
    if len(message.text) > _MAX_TEXT_CHARS:
        raise errors.invalid_field("filter.text", f"expected at most {_MAX_TEXT_CHARS} characters")
