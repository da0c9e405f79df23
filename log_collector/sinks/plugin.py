"""Sinks of other packages: installed by the operator, found by their entry point, named in the configuration.

A package declares `[project.entry-points."telecine.sinks"]` with `name = "module:function"`. The function
takes the `settings` of the section and returns a `RecordWriter`. Nothing is imported that no section names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Annotated, Any, Final, Protocol, cast

import msgspec

from log_collector.journal import StoredBatch
from log_collector.sinks.sink import SinkError, SinkWithoutUpkeep, Written
from log_collector.sinks.table import Place
from log_collector.sinks.wanted import FilteredConfig, wanted

GROUP: Final = "telecine.sinks"
"""The group of entry points in which packages declare their sinks."""
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class RecordWriter(Protocol):
    """What a package brings. Its methods are called from one thread at a time, and may block on their I/O."""

    def write(self, records: Sequence[bytes]) -> None:
        """Carries records on, each a JSON object without a line's end; on return they are safe.

        Whatever it raises, all of them come again, later: after a crash of the collector, too.
        """
        ...

    def close(self) -> None:
        """Releases everything; idempotent."""
        ...


Opener = Callable[[Mapping[str, Any]], RecordWriter]


class PluginConfig(FilteredConfig, frozen=True, kw_only=True):
    """A sink that another installed package brings."""

    entry_point: Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,128}$")]
    """The name under which the package declares it, in the group `telecine.sinks`."""
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    """Whatever the sink takes, as it is; the package says what."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        yield from FilteredConfig.find_faults(self)
        known = sorted({found.name for found in metadata.entry_points(group=GROUP)})
        if self.entry_point not in known:
            yield (
                "entry_point",
                (
                    f"no installed package declares {self.entry_point!r} in {GROUP}; "
                    f"there are: {', '.join(known) or 'none'}"
                ),
            )


class PluginSink(SinkWithoutUpkeep):
    """A `Sink` around a package's writer. What it raises is worth another try, whatever it is."""

    kind = "plugin"
    read_bytes = 256 << 10

    def __init__(self, config: PluginConfig) -> None:
        self._config = config
        self._is_wanted = wanted(config) if config.is_filtering else None
        self._writer: RecordWriter | None = None
        self._records: list[bytes] = []
        self._filtered = 0

    def recover(self, state: bytes) -> None:
        """See `Sink`; what the package has written cannot be taken back."""

    def prepare(self, batches: Sequence[StoredBatch]) -> bytes:
        """See `Sink`."""
        lines = [line for batch in batches for line in batch.unpack_records().split(b"\n") if line]
        is_wanted = self._is_wanted
        self._records = [line for line in lines if is_wanted is None or is_wanted(_decode(line))]
        self._filtered = len(lines) - len(self._records)
        return b""

    def write(self) -> Written:
        """See `Sink`."""
        try:
            if self._writer is None:
                self._writer = _load(self._config.entry_point)(dict(self._config.settings))
            if self._records:
                self._writer.write(self._records)
        except Exception as error:  # foreign code: a fault of it costs its own sink only
            # Its text may hold a record, or a secret of the settings: the class must do.
            raise SinkError(f"{self._config.entry_point}: {type(error).__name__}") from error
        dropped = {"filtered": self._filtered} if self._filtered else {}
        return Written(delivered=len(self._records), dropped=dropped)

    def close(self) -> None:
        """See `Sink`."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _load(name: str) -> Opener:
    (found, *_) = metadata.entry_points(group=GROUP, name=name)
    return cast(Opener, found.load())


def open_plugin(config: PluginConfig, place: Place) -> PluginSink:
    """Opens the sink that a configuration asks for; the package is imported at its first record."""
    return PluginSink(config)
