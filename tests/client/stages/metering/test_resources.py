"""What a stage used is measured: its own work, its children's, that of GPUs; rates make money of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from telecine.machine import peak_rss_bytes
from telecine.stages import Rates, Stage, StageSettings
from telecine.stages.manifest import CostItem, StageResources
from telecine.stages.metering.gpu_use import GpuLedger
from telecine.stages.metering.meter import Meter
from telecine.stages.metering.nvml import GpuReading, Nvml, NvmlUnavailableError
from telecine.stages.metering.process_tree import TreeUse, tree_use
from telecine.stages.process_identity import this_process
from telecine.stages.running.ledger import computing_items, cost_of

from tests.eventually import eventually

FIRST_NAMESPACE = 0xEFFFFFFC
BURN = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"
HOLD = "block = bytearray(120_000_000); print('held', flush=True); input()"


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_the_work_of_the_process_and_of_children_that_ended_is_counted(job_dir: Path) -> None:
    with Stage("asr", job_dir) as stage:
        burn(0.1)
        subprocess.run([sys.executable, "-c", BURN.format(0.2)], check=True)
    resources = stage.manifest.resources
    assert 0.3 <= resources.cpu_seconds < 2
    assert resources.cpu_percent == pytest.approx(
        100 * resources.cpu_seconds / stage.manifest.duration_seconds, rel=0.05
    )


def test_children_that_still_run_are_counted_with_their_memory(job_dir: Path) -> None:
    child = None
    try:
        with Stage("asr", job_dir, settings=StageSettings(sample_seconds=0.02)) as stage:
            child = subprocess.Popen(
                [sys.executable, "-c", BURN.format(0.2) + "\n" + HOLD],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert child.stdout is not None
            assert child.stdout.readline() == b"held\n"
            eventually(lambda: stage.manifest.resources.peak_rss_bytes > 120_000_000)
            assert stage.manifest.resources.cpu_seconds >= 0.2
        # Of the tests' own process, which has run thousands of them, and of the child.
        assert stage.manifest.resources.peak_rss_bytes < peak_rss_bytes() + 500_000_000
    finally:
        if child is not None:
            child.communicate(b"\n")


def test_a_grandchild_belongs_to_the_tree() -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        use = tree_use()
        assert len(use.pids) >= 3
        assert {os.getpid(), child.pid} <= use.pids
        assert use.rss_bytes > 120_000_000
    finally:
        child.communicate(b"\n")


def test_a_peak_between_two_looks_is_seen_by_the_kernel() -> None:
    uses = [
        TreeUse(pids=frozenset({1}), cpu_seconds=5.0, rss_bytes=100, own_peak_rss_bytes=150),
        TreeUse(pids=frozenset({1}), cpu_seconds=7.5, rss_bytes=110, own_peak_rss_bytes=150),
        TreeUse(pids=frozenset({1}), cpu_seconds=8.0, rss_bytes=105, own_peak_rss_bytes=900),
    ]
    looks = iter(uses)
    meter = Meter(this_process(), 0, look=lambda: next(looks))
    first, second = meter.read(), meter.read()
    meter.close()
    # The 150 was the peak before the stage began.
    assert (first.cpu_seconds, first.peak_rss_bytes) == (2.5, 110)
    assert (second.cpu_seconds, second.peak_rss_bytes) == (3.0, 900)


def test_stages_that_run_beside_each_other_in_one_process_say_so(job_dir: Path) -> None:
    with Stage("alone", job_dir) as alone:
        pass
    with Stage("a", job_dir) as first, Stage("b", job_dir) as second:
        pass
    shared = [stage.manifest.resources.is_shared for stage in (alone, first, second)]
    assert shared == [False, True, True]


def reading(
    utilization: float, by_pid: dict[int, int], joules: float | None = 0.0, index: int = 0
) -> GpuReading:
    return GpuReading(
        index=index, uuid=f"GPU-{index}", name="H200", utilization_percent=utilization,
        used_bytes=10_000 + sum(by_pid.values()), bytes_by_pid=by_pid, energy_joules=joules,
    )  # fmt: skip


def test_a_gpu_that_others_use_is_not_the_stages() -> None:
    ledger = GpuLedger(FIRST_NAMESPACE)
    pids = frozenset({10, 11})
    ledger.add([reading(100, {99: 500}, index=1), reading(0, {}, joules=50.0)], pids, 0.0)
    ledger.add([reading(100, {99: 500}, index=1), reading(80, {10: 300, 11: 400, 99: 9})], pids, 2.0)
    ledger.add([reading(100, {99: 500}, index=1), reading(20, {10: 300}, joules=850.0)], pids, 2.0)
    ledger.add([reading(0, {}, joules=900.0)], pids, 4.0)
    (use,) = ledger.uses()
    assert (use.index, use.is_attributed, use.peak_memory_bytes) == (0, True, 700)
    assert (use.occupied_seconds, use.mean_utilization_percent, use.energy_joules) == (4.0, 25.0, 850.0)


def test_where_process_ids_mean_nothing_whole_devices_are_reported() -> None:
    ledger = GpuLedger(pid_namespace=4026532000)
    ledger.add([reading(50, {12345: 500}, joules=None)], frozenset({1}), 2.0)
    (use,) = ledger.uses()
    assert (use.is_attributed, use.peak_memory_bytes, use.occupied_seconds) == (False, 10_500, 2.0)
    assert use.energy_joules is None


def test_without_a_gpu_a_stage_measures_the_rest(job_dir: Path) -> None:
    reason = _why_there_is_no_gpu()
    with Stage("asr", job_dir) as stage:
        burn(0.01)
    text = (stage.directory / "stage.log").read_text()
    assert (f"no GPU is measured: {reason}" in text) == bool(reason)
    assert stage.manifest.resources.cpu_seconds > 0
    if reason:
        assert stage.manifest.resources.gpus == ()


def _why_there_is_no_gpu() -> str:
    """Empty where there is one, which is then read once."""
    try:
        nvml = Nvml()
    except NvmlUnavailableError as error:
        return str(error)
    assert all(found.used_bytes >= 0 and found.uuid for found in nvml.read())
    nvml.close()
    return ""


def test_computing_costs_what_the_rates_say() -> None:
    ledger = GpuLedger(FIRST_NAMESPACE)
    ledger.add([reading(90, {10: 1})], frozenset({10}), 1800.0)
    resources = StageResources(cpu_seconds=7200.0, gpus=ledger.uses())
    rates = Rates(currency="EUR", wall_hour=1.0, cpu_hour=0.05, gpu_hour=2.5)
    items = computing_items(rates, resources, duration_seconds=3600.0)
    assert {item.name: item.amount for item in items} == {
        "compute: time": 1.0,
        "compute: cpu": 0.1,
        "compute: gpu": 1.25,
    }
    api = CostItem(name="api", amount=0.5, currency="USD", quantity=2.0, unit="calls")
    assert cost_of([api, *items, api]).totals == {"USD": 1.0, "EUR": 2.35}
    assert computing_items(None, resources, 3600.0) == []


def test_a_stages_cost_holds_what_it_bought_and_what_it_computed(job_dir: Path) -> None:
    settings = StageSettings(rates=Rates(wall_hour=3600.0))
    with Stage("asr", job_dir, settings=settings) as stage:
        stage.add_cost("speech API", 0.36, quantity=60, unit="min")
        stage.add_resources(tokens=1200)
    manifest = stage.manifest
    bought, time_item = manifest.cost.items
    assert (bought.name, bought.quantity, bought.unit) == ("speech API", 60.0, "min")
    assert time_item.amount == pytest.approx(manifest.duration_seconds, rel=0.2)
    assert manifest.cost.totals["USD"] == pytest.approx(0.36 + time_item.amount)
    assert manifest.resources.metadata == {"tokens": 1200}
