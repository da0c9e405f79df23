"""Thins out high-volume stages in the process that emits them: a job is whole, or thin."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from telecine.logging.catalogue import STAGES

_MAX_JOBS = 1024


class SampleUnit(StrEnum):
    """Of what 1 in N is kept."""

    JOB = "job"
    """1 in N jobs is whole; of the others the first and the last record of each sampled stage stay."""
    RECORD = "record"
    """1 in N records of the stage stays, whichever jobs they belong to."""


class Held(NamedTuple):
    """A record that was left out, and may be the last of its stage."""

    level: int
    msg: str
    source: bytes
    """What its logger shares with others of its name, as `Pipeline.source` gave it."""
    fields: dict[str, Any]
    when: bytes
    """Its rendered time: it stays the record's own, however late that is written."""


class StageSampler:
    """Keeps every record of 1 in N jobs; of the others the first and the last of each sampled stage.

    Records without a job, or all of them with `SampleUnit.RECORD`, are kept 1 in N by count. WARNING and
    above always stay.
    """

    def __init__(self, rates: Mapping[str, int], unit: SampleUnit = SampleUnit.JOB) -> None:
        """`rates` is stage to N; 1 keeps everything."""
        self._rates = {stage: rate for stage, rate in rates.items() if rate > 1}
        self._is_by_job = unit is SampleUnit.JOB
        self.is_on = bool(self._rates)
        self._lock = threading.RLock()
        self._stages: OrderedDict[tuple[str, str], tuple[int, Held | None]] = OrderedDict()
        self._current: dict[str, str] = {}
        self.sampled_out = 0

    def admit(
        self,
        level: int,
        msg: str,
        stage: str | None,
        job: str,
        fields: dict[str, Any],
        source: bytes = b"",
        when: bytes = b"",
    ) -> tuple[list[Held], dict[str, Any] | None]:
        """Returns records to emit first (the last of an ended stage), and the fields to emit, or None.

        Args:
            level: The record's level.
            msg: Its message.
            stage: Its stage. None: it has none.
            job: Its job's id. Empty: it has none.
            fields: All its other fields.
            source: What its logger shares with others of its name.
            when: Its time as `LineRenderer.timestamp` gave it.
        """
        with self._lock:
            released = self._release(stage, job) if job and self._is_by_job else []
            rate = self._rates.get(stage or "", 1)
            if rate <= 1:
                return released, fields
            key = (job if self._is_by_job else "", stage or "")
            left_out, _ = self._stages.get(key, (-1, None))
            if level >= 30:
                released += self._note(key, (0, None))
                return released, fields | ({"sampled_out": left_out} if left_out > 0 else {})
            if not key[0]:
                count = left_out + 1
                released += self._note(key, (count % rate, None))
                if count % rate:
                    self.sampled_out += 1
                    return released, None
                return released, fields | {"sample_rate": rate}
            if is_whole(job, rate):
                return released, fields | {"sample_rate": rate}
            if left_out < 0:
                released += self._note(key, (0, None))
                return released, fields | {"sample_rate": 1}
            released += self._note(key, (left_out + 1, Held(level, msg, source, fields, when)))
            self.sampled_out += 1
            return released, None

    def end(self) -> list[Held]:
        """Returns what is held back: the program ends, so each of them is the last of its stage."""
        with self._lock:
            ended = [self._last_of(state) for state in self._stages.values()]
            self._stages.clear()
            self._current.clear()
            return [held for held in ended if held is not None]

    def forked(self) -> None:
        """In the child after a fork: what is held is the parent's, which emits it."""
        self._lock = threading.RLock()
        self._stages.clear()
        self._current.clear()

    def _note(self, key: tuple[str, str], state: tuple[int, Held | None]) -> list[Held]:
        """Remembers how a stage stands; returns the last records of those that are forgotten for it."""
        self._stages[key] = state
        self._stages.move_to_end(key)
        ended = []
        while len(self._stages) > _MAX_JOBS:
            (job, _), forgotten = self._stages.popitem(last=False)
            self._current.pop(job, None)
            if (held := self._last_of(forgotten)) is not None:
                ended.append(held)
        return ended

    def _release(self, stage: str | None, job: str) -> list[Held]:
        """The job went on to another stage: what was held back is the last of the one before."""
        before = self._current.get(job)
        if stage is None or before == stage:
            return []
        if stage in self._rates:
            self._current[job] = stage
        else:
            self._current.pop(job, None)
        if before is None:
            return []
        held = self._last_of(self._stages.pop((job, before), (0, None)))
        return [] if held is None else [held]

    def _last_of(self, state: tuple[int, Held | None]) -> Held | None:
        left_out, held = state
        if held is None:
            return None
        self.sampled_out -= 1
        return held._replace(fields=held.fields | {"sample_rate": 0, "sampled_out": left_out - 1})


SAMPLING_VARIABLE_PREFIX: Final = "TELECINE_LOG_SAMPLING_"


def is_whole(key: str, rate: int) -> bool:
    """Whether the job `key` belongs to the 1 in `rate` of which every record is kept.

    A job that is whole at a rate is whole at every divisor of it.
    """
    if rate <= 1:
        return True
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % rate == 0


def sample_unit(environ: Mapping[str, str]) -> SampleUnit:
    """Returns what TELECINE_LOG_SAMPLE_BY says: "job", or "record". Unset: jobs.

    Raises:
        ValueError: It says something else.
    """
    text = environ.get("TELECINE_LOG_SAMPLE_BY", "").strip().lower()
    try:
        return SampleUnit(text) if text else SampleUnit.JOB
    except ValueError:
        raise ValueError(f"TELECINE_LOG_SAMPLE_BY: expected job or record, got {text!r}") from None


def stage_rates(environ: Mapping[str, str]) -> dict[str, int]:
    """Stage to rate from the environment: TELECINE_LOG_SAMPLING_PROVIDER_STATUS=5 is {"provider:status": 5}.

    A rate of 1 keeps everything. Raises ValueError for a rate that is no whole number from 1 on.
    """
    known = {stage.name.upper().replace(":", "_"): stage.name for stage in STAGES}
    rates = {}
    for variable, text in sorted(environ.items()):
        name = variable.removeprefix(SAMPLING_VARIABLE_PREFIX)
        if name == variable or not name:
            continue
        if not text.strip().isdecimal() or int(text) < 1:
            raise ValueError(f"{variable}: expected a whole number from 1 on, got {text!r}")
        family, _, step = name.lower().partition("_")
        rates[known.get(name, f"{family}:{step}" if step else family)] = int(text)
    return rates
