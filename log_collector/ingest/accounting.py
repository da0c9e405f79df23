"""Counts the fate of every record on the way in: received = rejected + refused + duplicate + accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service_host.auth.principal import DEFAULT_TENANT
from service_host.quotas.busiest import BusiestCounter


class Way(StrEnum):
    """How records come in."""

    SHIP = "ship"
    OTLP = "otlp"
    OTLP_HTTP = "otlp_http"
    RECORDS = "records"
    """Plain lines of JSON over HTTP."""
    BROWSER = "browser"
    """The logger for browsers."""
    OWN = "own"
    """Summaries that the collector itself writes into the journal."""


_TENANTS: Final = 1000
_OTHERS: Final = "/others"


class Accounting:
    """The counters since the process started. Belongs to the event loop; reading is safe from any thread."""

    def __init__(self) -> None:
        self.received: Counter[Way] = Counter()
        self.accepted: Counter[Way] = Counter()
        self.duplicate: Counter[Way] = Counter()
        self.refused: Counter[tuple[Way, str]] = Counter()
        """By reason: "journal_full", "disk_full", "draining", "out_of_order", "corrupted",
        "not_owner"."""
        self.rejected: Counter[tuple[Way, str]] = Counter()
        """By reason, as RejectionReason."""
        self.dropped: Counter[str] = Counter()
        """Of the accepted, by reason."""
        self.redacted: Counter[str] = Counter()
        """Secrets replaced, by rule."""
        self.conflicting = 0
        """Of the accepted: records whose numbers others were stored under, which shows that somebody else
        ships as their producer."""
        self.lost = 0
        """Sequence numbers that producers declared lost."""
        self.batches = 0
        self.unpacked_bytes = 0
        """Of all accepted batches."""
        self._of_tenants: dict[str, Accounting] = {}
        self.tenant_records = BusiestCounter()
        """Accepted, by tenant."""

    def books_of(self, tenant: str) -> tuple[Accounting, Accounting]:
        """These, of all tenants, and those of one of them.

        Beyond a thousand tenants those of the others are the same: nobody's.
        """
        if tenant not in self._of_tenants and len(self._of_tenants) >= _TENANTS:
            tenant = _OTHERS
        return self, self._of_tenants.setdefault(tenant, Accounting())

    def of_tenant(self, tenant: str) -> Accounting:
        """One tenant's own; of one that has sent nothing they are empty. Not to be changed."""
        return self._of_tenants.get(tenant) or Accounting()

    def tenants(self) -> dict[str, Accounting]:
        """Those of each tenant; "" is the root one."""
        return dict(self._of_tenants)

    def count_refused(self, way: Way, reason: str, count: int) -> None:
        """Records whose sender was asked to send them again."""
        self.received[way] += count
        self.refused[way, reason] += count

    def count_duplicate(self, way: Way, count: int) -> None:
        """Records that are stored already."""
        self.received[way] += count
        self.duplicate[way] += count

    def count_stored(
        self, way: Way, accepted: int, rejected: Mapping[str, int], dropped: Mapping[str, int]
    ) -> None:
        """Records of one batch that became durable, and those of it that were rejected."""
        self.received[way] += accepted + sum(rejected.values())
        self.accepted[way] += accepted
        for reason, count in rejected.items():
            self.rejected[way, reason] += count
        self.dropped.update(dropped)
        self.batches += 1

    def is_balanced(self) -> bool:
        """Whether the law holds; tests ask."""
        return all(
            self.received[way]
            == self.accepted[way]
            + self.duplicate[way]
            + sum(n for (w, _), n in self.refused.items() if w is way)
            + sum(n for (w, _), n in self.rejected.items() if w is way)
            for way in Way
        )


_PREFIX: Final = "telecine_log"


class AccountingMetrics(Collector):
    """Shows the counters to Prometheus."""

    def __init__(
        self, accounting: Accounting, held_count: Callable[[], int], root_tenant: str = DEFAULT_TENANT
    ) -> None:
        self._root_tenant = root_tenant
        self._accounting = accounting
        self._held_count = held_count

    def collect(self) -> Iterator[Metric]:
        """Yields the families."""
        books = self._accounting
        yield _family("records_received", "Records that came in.", ["way"], _single(books.received))
        yield _family(
            "records_accepted", "Records that were stored durably.", ["way"], _single(books.accepted)
        )
        yield _family(
            "records_duplicate",
            "Records that were stored before: sent again after a lost answer.",
            ["way"],
            _single(books.duplicate),
        )
        yield _family(
            "records_refused",
            "Records whose sender was asked to send them again later.",
            ["way", "reason"],
            books.refused,
        )
        yield _family(
            "records_rejected",
            "Records that are wrong and were refused for good.",
            ["way", "reason"],
            books.rejected,
        )
        yield _family(
            "records_dropped", "Accepted records that a rule left out.", ["reason"], _single(books.dropped)
        )
        by_tenant = {(name or self._root_tenant,): n for name, n in list(books.tenant_records.counts.items())}
        yield _family("tenant_records_accepted", "Accepted records, by tenant.", ["tenant"], by_tenant)
        yield _family("secrets_redacted", "Secrets replaced.", ["rule"], _single(books.redacted))
        yield _family(
            "records_lost",
            "Records that producers declared lost before they were sent.",
            [],
            {(): books.lost},
        )
        yield _family(
            "records_conflicting",
            "Accepted records whose numbers others had: two programs ship as one producer.",
            [],
            {(): books.conflicting},
        )
        yield _family("batches_accepted", "Batches that became durable.", [], {(): books.batches})
        yield _family("unpacked_bytes", "Bytes of accepted lines.", [], {(): books.unpacked_bytes})
        held = GaugeMetricFamily(
            f"{_PREFIX}_records_held", "Accepted records that a rule keeps waiting in memory."
        )
        held.add_metric([], self._held_count())
        yield held


def _single(counts: Mapping[Any, int]) -> dict[tuple[str, ...], int]:
    return {(str(name),): count for name, count in list(counts.items())}


def _family(name: str, meaning: str, labels: list[str], counts: Mapping[Any, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"{_PREFIX}_{name}", meaning, labels=labels)
    for values, count in list(counts.items()):
        family.add_metric([str(value) for value in values], count)
    return family
