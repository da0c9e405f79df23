"""What the program may use of its machine, seen from containers, other systems and behind filters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from telecine import machine
from telecine.machine import host_id, peak_rss_bytes, usable_cores, usable_memory_bytes


@pytest.fixture(autouse=True)
def fresh() -> None:
    host_id.cache_clear()
    usable_memory_bytes.cache_clear()


def test_a_pinned_process_counts_the_cores_that_it_may_run_on() -> None:
    program = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    program += "from telecine.machine import usable_cores; print(usable_cores())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"1\n"


@pytest.mark.parametrize("is_there", [True, False])
def test_where_the_affinity_cannot_be_asked_every_core_counts(
    monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    def denied(_pid: int) -> set[int]:
        raise PermissionError

    if is_there:
        monkeypatch.setattr(os, "sched_getaffinity", denied)
    else:
        monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(machine, "_CGROUPS", Path("/nowhere"))
    assert usable_cores() == os.cpu_count()


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "5000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 3),
        ({"cpu.max": "900000 100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu.max": "not a number"}, 3),
        ({}, 3),
    ],
)
def test_a_containers_quota_counts_where_it_is_less_than_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
    assert usable_cores() == cores


@pytest.mark.parametrize(("text", "expected"), [("1048576\n", 1 << 20), ("max\n", None), (None, None)])
def test_a_containers_limit_counts_where_it_is_lower_than_the_machines_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: int | None
) -> None:
    limit = tmp_path / "memory.max"
    if text is not None:
        limit.write_text(text)
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (tmp_path / "missing", limit))
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory_bytes() == (expected or whole)


def test_the_peak_is_known_with_and_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    here = peak_rss_bytes()
    monkeypatch.setattr(machine, "_STATUS", Path("/nowhere"))
    assert 0.5 < peak_rss_bytes() / here < 2


def test_a_machine_without_a_boot_id_is_the_same_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_BOOT_ID", Path("/nowhere"))
    assert host_id() == ""
    host_id.cache_clear()
