"""Puts the walls up around this process, one after the other, and says which of them stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from encoder_service.evidence.facts import Confinement, SandboxMode, Wall, Walls
from encoder_service.worker.sandbox import landlock, privileges, seccomp
from encoder_service.worker.sandbox.places import program_paths

_OPENING_MODES_SINCE = 3
"""Before this version of Landlock a file that may be read alone can be cut short."""
_SLACK_BYTES = 4 << 30
_OFF = "switched off: worker_sandbox"


class Reach(msgspec.Struct, frozen=True):
    """What a worker needs of the disk besides the program."""

    writes: tuple[str, ...] = ()
    """Directories whose contents it may make, change and remove."""
    reads: tuple[str, ...] = ()
    """Files, or directories with all that is below them."""


def lock(reach: Reach, confinement: Confinement) -> Walls:
    """Holds this process to its reach, for good. Never raises: what could not be done is in the answer.

    Call it while the process has one thread: threads started later are held as well, those before are not.
    """
    if confinement.mode is SandboxMode.OFF:
        return Walls(missing=dict.fromkeys(Wall, _OFF))
    missing: dict[Wall, str] = {}
    for walls, build in _plan(reach, confinement):
        try:
            build()
        except (OSError, ValueError) as error:
            for wall in walls:
                missing.setdefault(wall, str(error))
    return Walls(tuple(wall for wall in Wall if wall not in missing), missing)


def _plan(reach: Reach, confinement: Confinement) -> Iterator[tuple[tuple[Wall, ...], Callable[[], None]]]:
    """What holds which walls, in the order that works: seccomp last, for it ends the building."""
    yield tuple(Wall), privileges.refuse_new_privileges
    yield (Wall.OTHERS,), lambda: privileges.drop_capabilities((*reach.writes, *reach.reads))
    yield (Wall.BOUNDS,), lambda: privileges.bound(_data_bytes(confinement), confinement.file_bytes)
    yield (Wall.WRITES, Wall.READS, Wall.OTHERS), lambda: _restrict_files(reach, confinement)
    yield (Wall.WRITES,), _check_truncation
    yield (
        (Wall.NETWORK, Wall.PROCESSES, Wall.OTHERS, Wall.BOUNDS),
        lambda: seccomp.restrict(has_devices=bool(confinement.device_paths)),
    )


def _restrict_files(reach: Reach, confinement: Confinement) -> None:
    abi = landlock.version()
    if not abi:
        raise OSError("this kernel has no Landlock (Linux 5.13), or it is not switched on (lsm=landlock)")
    read = (*program_paths(), *reach.reads, *confinement.read_paths)
    grants = [
        *((path, landlock.READ) for path in read),
        *((path, landlock.WRITE) for path in reach.writes),
        *((path, landlock.DEVICE) for path in ("/dev/null", *confinement.device_paths)),
    ]
    landlock.restrict(grants, abi)


def _check_truncation() -> None:
    abi = landlock.version()
    if abi < _OPENING_MODES_SINCE:
        raise OSError(f"Landlock {abi} does not see how files are opened; Linux 6.2 has version 3")


def _data_bytes(confinement: Confinement) -> int:
    """The hard bound lies far above the watched one, and counts what was asked for, whether used or not.

    It is for what grows faster than the watch looks: a codec that is refused memory may crash without a word.
    """
    return 4 * confinement.memory_bytes + _SLACK_BYTES if confinement.memory_bytes else 0
