"""Which sequence numbers of which producer are stored: what makes a batch that is sent twice stand once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from log_collector.journal.entry import Origin
from log_collector.journal.ownership import is_proven, make_proof

MAX_HOLE: Final = 2**32
"""So many numbers of a producer that is known may be declared lost at once; more is no client's doing."""


class Verdict(StrEnum):
    """What a batch is to the journal."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """All of it is stored, or on its way to the disk."""
    OVERLAP = "overlap"
    """Its first `skip` records are stored or on their way, the others are new."""
    OUT_OF_ORDER = "out_of_order"
    """It would leave a hole that its producer did not declare."""


class Admission(msgspec.Struct, frozen=True):
    """The answer to one batch."""

    verdict: Verdict
    expected_seq: int
    """The next number that would be new."""
    skip: int = 0
    """With OVERLAP: how many records at its beginning are stored."""
    is_durable: bool = True
    """With DUPLICATE: whether it is on the disk already."""


class Producer(msgspec.Struct, array_like=True):
    """Where one producer stands."""

    durable_seq: int = 0
    """Highest sequence number on the disk."""
    reserved_seq: int = 0
    """Highest sequence number on the disk or on its way there."""
    lost: int = 0
    """How many numbers it declared lost."""
    received_unix_nano: int = 0
    """When its last batch came."""
    origin: Origin = Origin()
    proof: bytes = b""
    """Of the secret it was opened with; empty: it has none, and anybody may ship as it."""
    before_hole_seq: int = 0
    """Without a secret: highest number before the first hole that was declared; 0: there was none."""
    conflicts: int = 0
    """Records that came under numbers which others were stored under."""


class ProducerTable:
    """Every producer's place; the least recently seen is forgotten beyond `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._producers: OrderedDict[str, Producer] = OrderedDict()
        self.forgotten = 0
        """How many producers were forgotten since the start."""

    def __len__(self) -> int:
        return len(self._producers)

    def admit(self, producer: str, first_seq: int, count: int, lost_before: int) -> Admission:
        """Judges a batch; changes nothing."""
        known = self._producers.get(producer)
        reserved = known.reserved_seq if known else 0
        expected = reserved + 1
        last = first_seq + count - 1
        if reserved and first_seq - expected > MAX_HOLE:
            return Admission(Verdict.OUT_OF_ORDER, expected)
        if last <= reserved:
            return Admission(
                Verdict.DUPLICATE, expected, is_durable=known is None or last <= known.durable_seq
            )
        if first_seq < expected:
            return Admission(Verdict.OVERLAP, expected, skip=expected - first_seq)
        if first_seq - lost_before > expected:
            return Admission(Verdict.OUT_OF_ORDER, expected)
        return Admission(Verdict.NEW, expected)

    def proof_for(self, producer: str, secret: bytes) -> bytes | None:
        """What is to be kept of a batch's secret; None: the producer belongs to somebody else.

        An unknown one belongs to the first sender; without a secret it stays open to every sender.
        """
        known = self._producers.get(producer)
        if known is None or not known.reserved_seq:
            return make_proof(secret) if secret else b""
        if known.proof:
            return known.proof if is_proven(known.proof, secret) else None
        return None if secret else b""

    def resume_seq(self, producer: str) -> int:
        """The number after which its owner goes on; 0 for a producer that is not known.

        Without a secret a hole may be a stranger's word: what lies behind it is not taken for sent.
        """
        known = self._producers.get(producer)
        if known is None:
            return 0
        return known.durable_seq if known.proof else known.before_hole_seq or known.durable_seq

    def reserve(self, producer: str, last_seq: int, proof: bytes = b"") -> None:
        """Notes that a batch up to `last_seq` is on its way to the disk."""
        entry = self._entry(producer)
        entry.reserved_seq = max(entry.reserved_seq, last_seq)
        entry.proof = entry.proof or proof

    def commit(
        self,
        producer: str,
        first_seq: int,
        count: int,
        received_unix_nano: int,
        origin: Origin,
        proof: bytes = b"",
    ) -> int:
        """Notes that a batch is on the disk; returns the size of the hole before it."""
        entry = self._entry(producer)
        missing = max(0, first_seq - entry.durable_seq - 1)
        entry.proof = entry.proof or proof
        if missing and entry.durable_seq and not entry.before_hole_seq:
            entry.before_hole_seq = entry.durable_seq
        entry.conflicts += max(0, min(count, entry.durable_seq - first_seq + 1))
        entry.durable_seq = max(entry.durable_seq, first_seq + count - 1)
        entry.reserved_seq = max(entry.reserved_seq, entry.durable_seq)
        entry.lost += missing
        entry.received_unix_nano = received_unix_nano
        entry.origin = origin
        return missing

    def reset_reservations(self) -> None:
        """Forgets what was on its way to a disk that failed."""
        for entry in self._producers.values():
            entry.reserved_seq = entry.durable_seq
            if not entry.durable_seq:
                entry.proof = b""

    def durable_seq(self, producer: str) -> int:
        """Highest sequence number on the disk; 0 for a producer that is not known."""
        known = self._producers.get(producer)
        return known.durable_seq if known else 0

    def newest(
        self, limit: int, is_wanted: Callable[[str], bool] = lambda _name: True
    ) -> list[tuple[str, Producer]]:
        """The producers that were seen last, newest first."""
        found: list[tuple[str, Producer]] = []
        for name in reversed(self._producers):
            if len(found) == limit:
                break
            if is_wanted(name):
                found.append((name, self._producers[name]))
        return found

    def dump(self) -> dict[str, Producer]:
        """Durable state of all, the longest unseen first."""
        return {
            name: msgspec.structs.replace(e, reserved_seq=e.durable_seq)
            for name, e in self._producers.items()
            if e.durable_seq
        }

    def load(self, producers: dict[str, Producer]) -> None:
        """Takes over what `dump` returned."""
        self._producers = OrderedDict(producers)

    def _entry(self, producer: str) -> Producer:
        entry = self._producers.get(producer)
        if entry is None:
            entry = self._producers[producer] = Producer()
            if len(self._producers) > self._limit:
                self._forget()
        self._producers.move_to_end(producer)
        return entry

    def _forget(self) -> None:
        idle = next((n for n, e in self._producers.items() if e.reserved_seq == e.durable_seq), None)
        if idle is not None:
            del self._producers[idle]
            self.forgotten += 1
