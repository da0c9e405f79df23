"""Thins out high-volume stages in the process that emits them: a job is whole, or thin."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from telecine.logging.catalogue import STAGES

_MAX_JOBS = 1024

Held = tuple[int, str, dict[str, Any]]
"""Level, message and fields of a record that was left out, and may be the last of its stage."""


class StageSampler:
    """Keeps every record of 1 in N jobs; of the others the first and the last of each sampled stage.

    Records without a job are kept 1 in N by count. WARNING and above always stay.
    """

    def __init__(self, rates: Mapping[str, int]) -> None:
        """Stage to N."""
        self._rates = {stage: rate for stage, rate in rates.items() if rate > 1}
        self.is_on = bool(self._rates)
        self._lock = threading.RLock()
        self._stages: OrderedDict[tuple[str, str], tuple[int, Held | None]] = OrderedDict()
        self._current: dict[str, str] = {}
        self.sampled_out = 0

    def admit(
        self, level: int, msg: str, stage: str | None, job: str, fields: dict[str, Any]
    ) -> tuple[list[Held], dict[str, Any] | None]:
        """Records to emit first (the last of a stage that has ended), and the fields to emit, or None."""
        with self._lock:
            released = self._release(stage, job) if job else []
            rate = self._rates.get(stage or "", 1)
            if rate <= 1:
                return released, fields
            key = (job, stage or "")
            left_out, _ = self._stages.get(key, (-1, None))
            if level >= 30:
                self._note(key, (0, None))
                return released, fields | ({"sampled_out": left_out} if left_out > 0 else {})
            if not job:
                count = left_out + 1
                self._note(key, (count, None))
                if count % rate:
                    self.sampled_out += 1
                    return released, None
                return released, fields | {"sample_rate": rate}
            if is_whole(job, rate):
                return released, fields | {"sample_rate": rate}
            if left_out < 0:
                self._note(key, (0, None))
                return released, fields | {"sample_rate": 1}
            self._note(key, (left_out + 1, (level, msg, fields)))
            self.sampled_out += 1
            return released, None

    def _note(self, key: tuple[str, str], state: tuple[int, Held | None]) -> None:
        self._stages[key] = state
        self._stages.move_to_end(key)
        while len(self._stages) > _MAX_JOBS:
            (job, _), _ = self._stages.popitem(last=False)
            self._current.pop(job, None)

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
        left_out, held = self._stages.pop((job, before), (0, None))
        if held is None:
            return []
        level, msg, fields = held
        self.sampled_out -= 1
        return [(level, msg, fields | {"sample_rate": 0, "sampled_out": left_out - 1})]


SAMPLING_VARIABLE_PREFIX: Final = "TELECINE_LOG_SAMPLING_"


def is_whole(key: str, rate: int) -> bool:
    """Whether the job `key` belongs to the 1 in `rate` of which every record is kept.

    A job that is whole at a rate is whole at every divisor of it.
    """
    if rate <= 1:
        return True
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % rate == 0


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
