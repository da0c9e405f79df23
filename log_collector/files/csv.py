"""The CSV sink: chosen fields of records as rows of a file, as RFC 4180 has them, each exactly once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec

from log_collector.data_files import CSV
from log_collector.files.config import FileClass, FilesConfig, Rotation
from log_collector.files.routing import Routed
from log_collector.files.sink import FileSink
from log_collector.journal import StoredBatch
from log_collector.sinks.table import Place
from log_collector.sinks.wanted import FilteredConfig, wanted

_NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]|^\s|\s$')
_FORMULA: Final = re.compile("[\\s\x00-\x1f\ufeff\u200b-\u200f]*['=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""How a text begins that a spreadsheet takes for a formula, among them the full-width signs; or that was
already made safe, so that the apostrophe can be taken away again from each."""
_OFF: Final = FileClass(is_on=False)

_read_record: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_fields: Final = msgspec.json.Decoder(dict[str, Any]).decode


class CsvConfig(FilteredConfig, frozen=True, kw_only=True):
    """One CSV file, `csv/<name>.csv` of the data directory."""

    columns: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=200)]
    """Names of the records' fields, in the order of the columns; the first row of each file."""
    field_bytes: Annotated[int, msgspec.Meta(ge=64, le=1 << 20)] = 32_000
    """A longer text is cut and ends with how many bytes are missing. A spreadsheet's cell holds 32,767
    characters."""
    is_formula_safe: bool = True
    """Whether texts that a spreadsheet would take for a formula are led by an apostrophe."""
    rotation: Rotation = Rotation()
    """`keep_seconds` unset: 30 days."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        yield from FilteredConfig.find_faults(self)
        if len(set(self.columns)) != len(self.columns):
            yield "columns", "expected each field only once"
        if not all(column and column.isprintable() for column in self.columns):
            yield "columns", "expected names of fields, on one line each"


class CsvRouter:
    """A `Routing` of records to rows of one file."""

    kind = "csv"

    def __init__(self, config: CsvConfig) -> None:
        self.stream = f"{config.name}.csv"
        self._config = config
        self._is_wanted = wanted(config) if config.is_filtering else None
        self._heading = self._row([self._cell(column) for column in config.columns])

    def route(self, batches: Sequence[StoredBatch]) -> Routed:
        """See `Routing`."""
        rows: list[bytes] = []
        dropped: Counter[str] = Counter()
        for batch in batches:
            for line in batch.unpack_records()[:-1].split(b"\n") if batch.record_count else ():
                try:
                    if self._is_wanted is not None and not self._is_wanted(_read_fields(line)):
                        dropped["filtered"] += 1
                        continue
                    record = _read_record(line)
                    rows.append(self._row([self._value(record, name) for name in self._config.columns]))
                except msgspec.MsgspecError:
                    dropped["unreadable"] += 1
        return Routed({self.stream: [b"".join(rows)]} if rows else {}, len(rows), dict(dropped))

    def class_of(self, file: str) -> Rotation:
        """See `Routing`."""
        return self._config.rotation

    def classes(self) -> list[Rotation]:
        """See `Routing`."""
        return [self._config.rotation]

    def heading(self, file: str) -> bytes:
        """See `Routing`."""
        return self._heading

    @staticmethod
    def _row(cells: list[str]) -> bytes:
        return (",".join(cells) + "\r\n").encode()

    def _value(self, record: dict[str, msgspec.Raw], name: str) -> str:
        """Null and a missing field are empty; an empty text is `""`; numbers are as the record has them."""
        plain = bytes(record[name]) if name in record else _inner(record, name)
        if plain in (b"", b"null"):
            return ""
        if plain[:1] == b'"':
            return self._cell(msgspec.json.decode(plain, type=str))
        return self._cell(plain.decode(), is_text=plain[:1] in b"{[")

    def _cell(self, text: str, *, is_text: bool = True) -> str:
        raw = text.encode()
        if len(raw) > (limit := self._config.field_bytes):
            mark = f"…[{len(raw) - limit} bytes more]"
            text = raw[:limit].decode("utf-8", "ignore") + mark
        if is_text and self._config.is_formula_safe and _FORMULA.match(text):
            text = f"'{text}"
        if not text or _NEEDS_QUOTES.search(text):
            return '"' + text.replace('"', '""') + '"'
        return text


def _inner(record: dict[str, msgspec.Raw], name: str) -> bytes:
    """A dotted name that is no field itself leads into nested objects."""
    found = b""
    for step in name.split("."):
        found = bytes(record.get(step, b""))
        record = _read_record(found) if found[:1] == b"{" else {}
    return found


def open_csv(config: CsvConfig, place: Place) -> FileSink:
    """Opens the sink that a configuration asks for."""
    limits = FilesConfig(services=_OFF, jobs=_OFF, errors=_OFF, quarantine=_OFF)
    return FileSink(place.data_dir / CSV, limits, place.report, router=CsvRouter(config))
