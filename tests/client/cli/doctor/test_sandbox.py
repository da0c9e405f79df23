"""`telecine doctor` says which walls stand around the workers of a server."""

from __future__ import annotations

import pytest
from telecine.cli.doctor.service import _check_sandbox
from telecine.results.values import Sandbox

WALLS = ("writes", "reads", "network", "processes", "others", "bounds")


@pytest.mark.parametrize(
    ("sandbox", "status", "words"),
    [
        (Sandbox("auto", WALLS, {}), "ok", "writes, reads, network, processes, others, bounds"),
        (
            Sandbox("auto", WALLS[2:4], dict.fromkeys(("writes", "reads"), "no Landlock")),
            "warning",
            "2 of 6 limits on workers are in force; missing: writes (no Landlock); reads (no Landlock)",
        ),
        (Sandbox("off", (), dict.fromkeys(WALLS, "switched off")), "warning", "worker_sandbox is off"),
    ],
)
def test_missing_walls_are_named_with_the_reason(sandbox: Sandbox, status: str, words: str) -> None:
    check = _check_sandbox(sandbox)
    assert (check.status, bool(check.advice)) == (status, status != "ok")
    assert words in check.message
