"""What the pool of workers is to do, from the configuration."""

from __future__ import annotations

import msgspec

from encoder_service.evidence.facts import Confinement


class PoolSettings(msgspec.Struct, frozen=True):
    """`size` and `confinement` may change while the pool runs; the others are read when a zygote starts."""

    size: int = 1
    """How many workers may live at once."""
    start_timeout_seconds: float = 30.0
    """How long a zygote or a worker may take until it is ready."""
    start_attempts: int = 5
    """So many failed starts of a worker in a row, with none ready meanwhile, mean that there are none."""
    wrapper: tuple[str, ...] = ()
    """A command that the zygote is started through, such as `prlimit`."""
    environment: tuple[str, ...] = ()
    """Variables of the service's environment that workers get besides the usual ones."""
    niceness: int = 0
    """0 to 19; higher leaves the cores to other processes."""
    confinement: Confinement = Confinement()
    """What every worker is held to."""
