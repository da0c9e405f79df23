"""Clips of mixed sizes and formats side by side: neither service nor workers grow with what they have done.

With one size and one format at a time memory was flat even while codec threads kept an arena for each size,
and rings of ended streams stayed mapped until the garbage collector came by.
`TELECINE_SOAK_SECONDS`: how long (600).
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import telecine

from tests.encoder_service.server_process import ServerProcess

MIB = 1 << 20
CLIENTS = 3
WORKERS = 2
RING_BYTES = 8 * MIB
PENDING_BYTES = 8 * MIB
SIZES = ((24, 240, 320), (16, 480, 832), (33, 64, 64), (8, 720, 1280))
FORMATS = ("mp4", "webm", "webp", "gif", "png", "poster", "mkv", "apng")
SERVICE_MIB = 80
"""Of an idle service with gRPC and its own logging; measured 60 to 70."""
SLACK_MIB = 48
"""Job records, allocator and threads; measured 20 to 30."""


def _bound_mib() -> int:
    per_stream = 2 * PENDING_BYTES + RING_BYTES
    return SERVICE_MIB + SLACK_MIB + CLIENTS * per_stream // MIB


class Load:
    """Clients that encode until they are told to stop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stopped = threading.Event()
        self._clips = [
            np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
            for seed, size in enumerate(SIZES)
        ]
        self._threads = [threading.Thread(target=self._work, args=(seed,)) for seed in range(CLIENTS)]
        self.jobs = 0
        self.failures: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

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
                        fps=chance.choice([16, 24, "24000/1001"]),
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
    seconds = float(os.environ.get("TELECINE_SOAK_SECONDS", "600"))
    settings = {
        "workers": str(WORKERS),
        "ring_bytes": str(RING_BYTES),
        "max_pending_bytes": str(PENDING_BYTES),
    }
    server = ServerProcess(tmp_path / "data", settings).start()
    load = Load(server.address)
    peak_mib = rings = 0
    workers: dict[int, float] = {}
    try:
        load.start()
        until = time.monotonic() + seconds
        service = psutil.Process(server.pid)
        while time.monotonic() < until:
            peak_mib = max(peak_mib, service.memory_info().rss // MIB)
            rings = max(rings, _maps_of_rings(server.pid))
            for child in service.children(recursive=True):
                workers.setdefault(child.pid, child.create_time())
            time.sleep(0.2)
        load.stop()
        idle_mib = service.memory_info().rss // MIB
    finally:
        load.stop()
        server.kill()
    print(
        f"{load.jobs} jobs, {len(workers)} processes, service {peak_mib} MiB at most, {idle_mib} at the end"
    )
    assert not load.failures
    assert load.jobs
    assert peak_mib <= _bound_mib(), f"{peak_mib} MiB of {_bound_mib()}"
    # One for each stream that is open, and one that is being given back.
    assert rings <= 2 * CLIENTS
    # A worker serves one attempt: what its codecs' threads keep goes with it.
    assert len(workers) >= 2 * load.jobs
