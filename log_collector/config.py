"""Every limit and choice of the log collector, with its default, in one frozen struct."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from telecine.logging.record.sampling import sample_unit, stage_rates
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import RulePack, pack_from_mapping
from telecine.settings.trust import OPERATOR_ONLY

from log_collector.data_files import FILE_SINK
from log_collector.files.config import FilesConfig
from log_collector.files.csv import CsvConfig
from log_collector.http.config import HttpPortConfig
from log_collector.ingest.selection import SelectionConfig
from log_collector.processors.redact import redaction_for
from log_collector.processors.sample import SamplingRule
from log_collector.query.config import ReadingConfig
from log_collector.quotas.config import Quotas
from log_collector.sinks.elastic.config import ElasticsearchConfig, LogstashConfig
from log_collector.sinks.forward.config import ForwardConfig
from log_collector.sinks.loki.config import LokiConfig
from log_collector.sinks.plugin import PluginConfig
from log_collector.sinks.retry import RetryConfig
from log_collector.sinks.sentry.config import SentryConfig
from log_collector.sinks.stdout import StdoutConfig
from log_collector.sinks.table import PlannedSink, Repeat, SinkRow, planned_sinks, repeated_names
from log_collector.sinks.webhook_config import WebhookConfig
from service_host.address import AddressError, parse_admin_address
from service_host.auth.principal import DEFAULT_TENANT, TENANT_FORM
from service_host.settings.host_config import HostConfig, Positive

MIB: Final = 1 << 20
GIB: Final = 1 << 30

Count = Annotated[int, msgspec.Meta(ge=1)]

FIXED_SECTIONS: Final = ("host", "http_listen", "data_dir", "root_tenant", "journal", "reading")
"""What a reload cannot change."""
_OVER_HTTP: Final = SinkRow("log_collector.sinks.building:open_http_sink", Repeat.KNOWN)


class JournalConfig(msgspec.Struct, frozen=True):
    """The journal; a change needs a restart."""

    size_bytes: Annotated[int, msgspec.Meta(ge=MIB)] = 2 * GIB
    """Records are refused beyond it, until the slowest sink has moved on."""
    segment_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024)] = 64 * MIB
    """Space is given back in steps of this size."""
    producers: Count = 100_000
    """How many producers' sequence numbers are remembered; the least recently seen is forgotten."""
    uids: Count = 500_000
    """How many of the newest record uids are remembered, at least."""


class IntakeConfig(msgspec.Struct, frozen=True):
    """What may come in."""

    unpacked_bytes: Annotated[int, msgspec.Meta(ge=MIB)] = 64 * MIB
    """A batch that unpacks to more is rejected."""
    unpacked_ratio: Count = 1000
    """A batch that unpacks to more than 4 MiB and to more than so many times its size is rejected: logs pack
    to a tenth, or a fiftieth."""
    record_bytes: Annotated[int, msgspec.Meta(ge=1024)] = MIB
    """A larger record is rejected."""
    records_per_batch: Count = 50_000
    """A larger count is an error of the sender."""
    batches_per_stream: Count = 16
    """Of one Ship stream, opened or waiting for the disk at once."""
    requests_at_once: Count = 64
    """Export calls that are worked on at once; further ones are sent away with a delay."""
    under_way_bytes: Annotated[int, msgspec.Meta(ge=MIB)] = 128 * MIB
    """Of all streams and calls together, received and not yet stored; beyond it they are read no further."""
    retry_seconds: Annotated[float, msgspec.Meta(gt=0, le=2)] = 1.0
    """What a refused sender waits. At most 2: stock OpenTelemetry clients drop a batch instead of waiting."""
    threads: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Threads that open batches. 0: one per core."""


class RedactionConfig(msgspec.Struct, frozen=True):
    """What counts as a secret, beyond the rule pack that is always in force."""

    rules_file: Path | None = None
    """Own rules as JSON: {"values": [...], "keys": [...]}; one with the id of a built-in rule replaces it."""
    switched_on: tuple[str, ...] = ()
    """Built-in rules that apply only when asked for, such as "email"."""
    hash_key: str = ""
    """With it, a keyed hash stands in the replacement: equal secrets stay correlatable. Empty: none."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        try:
            pack = self.pack()
        except ValueError as error:
            yield ("rules_file" if self.rules_file else "switched_on"), str(error)
            return
        try:
            redaction_for(pack, self.key())
        except ValueError as error:
            yield "rules_file", str(error)

    def key(self) -> bytes | None:
        """The hash key as bytes."""
        return self.hash_key.encode() or None

    def pack(self) -> RulePack:
        """The rules in force. Raises ValueError with what is wrong."""
        pack = DEFAULT_PACK
        if self.rules_file is not None:
            try:
                own = msgspec.json.decode(self.rules_file.read_bytes())
            except OSError as error:
                raise ValueError(f"cannot be read: {error.strerror or error}") from error
            except msgspec.DecodeError as error:
                raise ValueError(f"is not JSON: {error}") from error
            pack = pack.joined_with(pack_from_mapping(own))
        return pack.with_rules_on(*self.switched_on)


class CollectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `telecine serve collector`."""

    host: HostConfig = HostConfig(listen="127.0.0.1:50052", max_message_bytes=64 * MIB)
    http_listen: str = ""
    """"host:port" of records over HTTP: OTLP, plain lines of JSON, the logger for browsers; 4318 is the port
    of OTLP over HTTP. Empty: off. With `host.tls.cert_file` it speaks HTTPS. A change needs a restart."""
    http: HttpPortConfig = HttpPortConfig()
    data_dir: Path = Path("telecine-logs")
    """Holds `journal/`, the sinks' cursors and, by default, the files; for one collector at a time."""
    root_tenant: Annotated[str, msgspec.Meta(pattern=rf"^{TENANT_FORM}\Z")] = DEFAULT_TENANT
    """The tenant whose files lie right in the files' directory, as all of release 0.1.0 do. Those of each
    other one lie in `tenants/<tenant>/` of it. A change gives the former one's records to the new one."""
    quotas: Quotas = Quotas()
    """How much each tenant and each principal may have. Unset: as much as the whole collector."""
    journal: JournalConfig = JournalConfig()
    intake: IntakeConfig = IntakeConfig()
    redaction: RedactionConfig = RedactionConfig()
    selection: SelectionConfig = SelectionConfig()
    # The table of sinks: a row for each kind. How to add one stands in CONTRIBUTING.md.
    files: Annotated[
        FilesConfig, SinkRow("log_collector.files.sink:open_file_sink", Repeat.UNDONE, FILE_SINK)
    ] = FilesConfig()
    stdout: Annotated[
        StdoutConfig, SinkRow("log_collector.sinks.stdout:open_stdout", Repeat.SEEN, "stdout")
    ] = StdoutConfig()
    forward: Annotated[
        tuple[ForwardConfig, ...], SinkRow("log_collector.sinks.forward.endpoints:open_forward", Repeat.KNOWN)
    ] = ()
    sentry: Annotated[tuple[SentryConfig, ...], _OVER_HTTP] = ()
    elasticsearch: Annotated[tuple[ElasticsearchConfig, ...], _OVER_HTTP] = ()
    logstash: Annotated[tuple[LogstashConfig, ...], _OVER_HTTP] = ()
    loki: Annotated[tuple[LokiConfig, ...], _OVER_HTTP] = ()
    webhook: Annotated[tuple[WebhookConfig, ...], _OVER_HTTP] = ()
    csv: Annotated[tuple[CsvConfig, ...], SinkRow("log_collector.files.csv:open_csv", Repeat.UNDONE)] = ()
    plugin: Annotated[
        tuple[PluginConfig, ...],
        SinkRow("log_collector.sinks.plugin:open_plugin", Repeat.SEEN),
        OPERATOR_ONLY,
    ] = ()

    retry: RetryConfig = RetryConfig()
    """Of every sink."""
    reading: ReadingConfig = ReadingConfig()
    """A change needs a restart."""
    reload_poll_seconds: Positive = 1.0
    """How often the configuration file is looked at; SIGHUP loads it at once."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        try:
            parse_admin_address(self.http_listen)
        except AddressError as error:
            yield "http_listen", str(error)
        for section in repeated_names(CollectorConfig, self):
            yield section, "expected a name only once"
        if self.journal.segment_bytes > self.journal.size_bytes // 4:
            yield "journal.segment_bytes", "expected at most a quarter of journal.size_bytes"
        try:
            stage_rates(os.environ)
            sample_unit(os.environ)
        except ValueError as error:
            yield "selection.sampling", str(error)

    @property
    def other_listens(self) -> tuple[str, ...]:
        """What the service listens on beside the ports of its host."""
        return (self.http_listen,) if self.http_listen else ()

    def sinks(self) -> dict[str, PlannedSink]:
        """The sinks that are asked for, by their names."""
        return planned_sinks(self)

    def effective_selection(self) -> SelectionConfig:
        """The rules with those of TELECINE_LOG_SAMPLING_<STAGE> in the environment before them."""
        unit = sample_unit(os.environ)
        own = tuple(
            SamplingRule(rate=rate, stage=stage, by=unit) for stage, rate in stage_rates(os.environ).items()
        )
        return msgspec.structs.replace(self.selection, sampling=(*own, *self.selection.sampling))
