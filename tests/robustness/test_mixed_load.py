"""Clips of mixed sizes and formats side by side: neither service nor workers grow with what they have done.

With one size and one format at a time memory was flat even while codec threads kept an arena for each size,
and rings of ended streams stayed mapped until the garbage collector came by.
`SOAK_SECONDS`: how long (600). (Not `TELECINE_…`: the suite takes those out of its environment.)
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import telecine
from numpy.typing import NDArray

from tests.encoder_service.server_process import ServerProcess

MIB = 1 << 20
CLIENTS = 3
WORKERS = 2
RATES: tuple[int | str, ...] = (16, 24, "24000/1001")
RING_BYTES = 8 * MIB
PENDING_BYTES = 8 * MIB
SIZES = ((24, 240, 320), (16, 480, 832), (33, 64, 64), (8, 720, 1280))
FORMATS = ("mp4", "webm", "webp", "gif", "png", "poster", "mkv", "apng", "avif")
SERVICE_MIB = 80
"""Of an idle service with gRPC and its own logging; measured 60 to 70."""
SLACK_MIB = 48
"""Job records, allocator and threads; measured 20 to 30."""

WORKER_MIB = 512
"""Of one attempt on the largest clip; it does not depend on how many came before. Measured 300 to 350."""


def _bound_mib() -> int:
    per_stream = 2 * PENDING_BYTES + RING_BYTES
    return SERVICE_MIB + SLACK_MIB + CLIENTS * per_stream // MIB


def _clip(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient that moves, with a little grain: pure noise takes one codec thread ten times as long."""
    rows, columns = np.mgrid[:height, :width]
    moving = rows[None] + columns[None] + 3 * np.arange(frames)[:, None, None]
    grain = np.random.default_rng(width).integers(0, 8, (frames, height, width, 3))
    clip: NDArray[np.uint8] = ((moving[..., None] * (1, 2, 3) + grain) % 256).astype(np.uint8)
    return clip


class Load:
    """Clients that encode until `stop`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stopped = threading.Event()
        self._clips = [_clip(*size) for size in SIZES]
        self._threads = [threading.Thread(target=self._work, args=(seed,)) for seed in range(CLIENTS)]
        self.jobs = 0
        self.failures: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        """Between two looks; ends early once stopped."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, seed: int) -> None:
        chance = random.Random(seed)
        with telecine.Client(self._address) as client:
            while not self._stopped.is_set():
                try:
                    result = client.encode(
                        chance.choice(self._clips),
                        fps=chance.choice(RATES),
                        outputs=chance.sample(FORMATS, 2),
                    )
                    client.delete_job(result.job_id)
                    self.jobs += 1
                except telecine.TelecineError as error:
                    self.failures.append(repr(error))


def _maps_of_rings(pid: int) -> int:
    return Path(f"/proc/{pid}/maps").read_text().count("/memfd:")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_mixed_sizes_and_formats_leave_no_memory_behind(tmp_path: Path) -> None:
    seconds = float(os.environ.get("SOAK_SECONDS", "600"))
    settings = {
        "workers": str(WORKERS),
        "ring_bytes": str(RING_BYTES),
        "max_pending_bytes": str(PENDING_BYTES),
    }
    server = ServerProcess(tmp_path / "data", settings).start()
    load = Load(server.address)
    peak_mib = rings = 0
    workers: set[int] = set()
    worker_mib = 0
    try:
        load.start()
        until = time.monotonic() + seconds
        service = psutil.Process(server.pid)
        while time.monotonic() < until:
            peak_mib = max(peak_mib, service.memory_info().rss // MIB)
            rings = max(rings, _maps_of_rings(server.pid))
            for child in service.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker_mib = max(worker_mib, child.memory_info().rss // MIB)
                    workers.add(child.pid)
            load.wait(0.05)
        load.stop()
        idle_mib = service.memory_info().rss // MIB
    finally:
        load.stop()
        server.kill()
    print(
        f"{load.jobs} jobs in {seconds:g} s, {len(workers)} processes seen, worker {worker_mib} MiB at most, "
        f"service {peak_mib} MiB at most, {idle_mib} at the end, {rings} rings"
    )
    assert not load.failures
    assert load.jobs
    assert peak_mib <= _bound_mib(), f"{peak_mib} MiB of {_bound_mib()}"
    # One for each stream that is open, and one that is being given back.
    assert rings <= 2 * CLIENTS
    # A worker serves one attempt: what its codecs' threads keep goes with it. (Short ones are not all seen.)
    assert len(workers) > load.jobs
    assert worker_mib <= WORKER_MIB
