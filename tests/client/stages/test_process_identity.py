"""Whether a process still holds its stage is decided from what was written down and what can be asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from telecine.stages.process_identity import (
    Liveness,
    Process,
    is_lock_held,
    liveness,
    start_ticks,
    this_process,
)

HERE = Process(hostname="a", boot_id="b1", pid_namespace=7, pid=10, start_ticks=100)
NO_LINUX = replace(HERE, boot_id="", pid_namespace=0, start_ticks=0)
A, D, U = Liveness.ALIVE, Liveness.DEAD, Liveness.UNKNOWN

CASES = {
    "the same process": (HERE, HERE, 100, True, A),
    "where locks are not told": (HERE, HERE, 100, None, A),
    "its id is free": (HERE, HERE, None, None, D),
    "its id is another's": (HERE, HERE, 101, None, D),
    "it has let go": (HERE, HERE, 100, False, D),
    "a lock that a child inherited": (HERE, HERE, None, True, D),
    "another boot": (replace(HERE, boot_id="b0"), HERE, 100, True, D),
    "another machine": (replace(HERE, boot_id="b0", hostname="z"), HERE, 100, False, U),
    "another container, locked": (replace(HERE, pid_namespace=8), HERE, None, True, A),
    "another container, free": (replace(HERE, pid_namespace=8), HERE, 100, False, D),
    "another container, no locks": (replace(HERE, pid_namespace=8), HERE, 100, None, U),
    "no Linux, locked": (NO_LINUX, NO_LINUX, None, True, A),
    "no Linux, free": (NO_LINUX, NO_LINUX, None, False, D),
    "no Linux, another machine": (replace(NO_LINUX, hostname="z"), NO_LINUX, None, False, U),
    "written on no Linux, read on one": (NO_LINUX, replace(HERE, hostname="z"), None, False, U),
}


@pytest.mark.parametrize("case", CASES)
def test_liveness_is_decided_by_this_table(case: str) -> None:
    process, here, ticks, is_locked, expected = CASES[case]
    assert liveness(process, here, lambda _: ticks, lambda: is_locked) is expected


def test_this_process_is_told_apart_by_its_start() -> None:
    me = this_process()
    assert (me.pid, me.start_ticks) == (os.getpid(), start_ticks(os.getpid()))
    assert me.start_ticks > 0
    assert start_ticks(2**22 + 1) is None


def test_a_lock_that_cannot_be_looked_at_reveals_nothing(tmp_path: Path) -> None:
    assert is_lock_held(tmp_path / "nothing") is None
    (tmp_path / "free").touch()
    assert is_lock_held(tmp_path / "free") is False
