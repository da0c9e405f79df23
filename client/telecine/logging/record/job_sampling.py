"""Decides by a job's hash whether the job is whole or thin, the same in every process and for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from telecine.logging.catalogue import STAGES

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
