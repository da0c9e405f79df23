"""Measures what a stage uses while it runs: a thread looks at the processes and GPUs from time to time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from telecine.stages.manifest import GpuUse
from telecine.stages.metering.gpu_use import GpuLedger
from telecine.stages.metering.nvml import Nvml, NvmlUnavailableError
from telecine.stages.metering.process_tree import TreeUse, tree_use
from telecine.stages.process_identity import Process

_FIRST_SECONDS = 0.05
"""Short stages are looked at too: the first looks follow one another faster."""


class MeterReading(msgspec.Struct, frozen=True, kw_only=True):
    """What was used so far."""

    cpu_seconds: float
    peak_rss_bytes: int
    gpus: tuple[GpuUse, ...]


class Meter:
    """Counts from its making on; `close` ends its thread and gives NVML back, and is idempotent."""

    def __init__(
        self,
        process: Process,
        sample_seconds: float,
        beat: Callable[[], None] = lambda: None,
        look: Callable[[], TreeUse] = tree_use,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`beat` is called after each look of the thread."""
        self._look = look
        self._beat = beat
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._began = look()
        self._peak_bytes = self._began.rss_bytes
        self._looked_at_seconds = monotonic()
        self._gpus = GpuLedger(process.pid_namespace)
        self._nvml: Nvml | None = None
        self.no_gpus_because = ""
        """Why there are no GPUs to look at; empty: there are."""
        try:
            self._nvml = Nvml()
        except NvmlUnavailableError as error:
            self.no_gpus_because = str(error)
        self._note(self._began)
        self._is_over = threading.Event()
        self._sample_seconds = sample_seconds

    def start(self) -> None:
        """Begins to look by itself, unless `sample_seconds` is 0."""
        if self._sample_seconds > 0:
            threading.Thread(target=self._run, name="telecine-stage-meter", daemon=True).start()

    def read(self) -> MeterReading:
        """What was used since the meter was made."""
        use = self._look()
        with self._lock:
            self._note(use)
            peak_bytes = self._peak_bytes
            if use.own_peak_rss_bytes > self._began.own_peak_rss_bytes:
                # The kernel saw a peak between two looks.
                peak_bytes = max(peak_bytes, use.own_peak_rss_bytes)
            cpu_seconds = max(0.0, use.cpu_seconds - self._began.cpu_seconds)
            return MeterReading(
                cpu_seconds=round(cpu_seconds, 6), peak_rss_bytes=peak_bytes, gpus=self._gpus.uses()
            )

    def close(self) -> None:
        """Ends the thread and gives NVML back; idempotent."""
        self._is_over.set()
        with self._lock:
            nvml, self._nvml = self._nvml, None
        if nvml is not None:
            nvml.close()

    def forked(self) -> None:
        """In a forked child: no lock of the parent's is waited for."""
        self._lock = threading.Lock()

    def _run(self) -> None:
        wait_seconds = min(_FIRST_SECONDS, self._sample_seconds)
        while not self._is_over.wait(wait_seconds):
            use = self._look()
            with self._lock:
                self._note(use)
            self._beat()
            wait_seconds = min(wait_seconds * 1.5, self._sample_seconds)

    def _note(self, use: TreeUse) -> None:
        now = self._monotonic()
        self._peak_bytes = max(self._peak_bytes, use.rss_bytes)
        if self._nvml is not None:
            self._gpus.add(self._nvml.read(), use.pids, now - self._looked_at_seconds)
        self._looked_at_seconds = now
