"""Sums up what GPUs did while a stage ran, and separates its own share from that of others."""

from __future__ import annotations

from collections.abc import Iterable

from telecine.stages.manifest import GpuUse
from telecine.stages.metering.nvml import GpuReading

_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""Linux's number for the machine's own table of processes, whose ids are those that NVML knows."""


class GpuLedger:
    """Takes readings one after the other. Does no I/O."""

    def __init__(self, pid_namespace: int) -> None:
        """Outside of the machine's own table of processes NVML's ids mean nothing."""
        self._is_attributed = pid_namespace == _FIRST_PID_NAMESPACE
        self._devices: dict[str, _Device] = {}

    def add(self, readings: Iterable[GpuReading], pids: frozenset[int], seconds: float) -> None:
        """Notes what stood for the last `seconds`; `pids` are the stage's processes."""
        for reading in readings:
            device = self._devices.setdefault(reading.uuid, _Device(reading))
            own_bytes = sum(size for pid, size in reading.bytes_by_pid.items() if pid in pids)
            is_own = any(pid in pids for pid in reading.bytes_by_pid)
            if self._is_attributed:
                device.note(reading, own_bytes, seconds, is_occupied=is_own)
            else:
                device.note(reading, reading.used_bytes, seconds, is_occupied=True)

    def uses(self) -> tuple[GpuUse, ...]:
        """Each GPU that the stage used, or, where that cannot be known, each of the machine."""
        found = [
            device.use(is_attributed=self._is_attributed)
            for device in self._devices.values()
            if device.was_occupied
        ]
        return tuple(sorted(found, key=lambda use: use.index))


class _Device:
    def __init__(self, first: GpuReading) -> None:
        self._first = self._last = first
        self._seconds = 0.0
        self._occupied_seconds = 0.0
        self._percent_seconds = 0.0
        self._peak_bytes = 0
        self.was_occupied = False

    def note(self, reading: GpuReading, size_bytes: int, seconds: float, *, is_occupied: bool) -> None:
        self._last = reading
        self._seconds += seconds
        self._percent_seconds += reading.utilization_percent * seconds
        if is_occupied:
            self.was_occupied = True
            self._occupied_seconds += seconds
            self._peak_bytes = max(self._peak_bytes, size_bytes)

    def use(self, *, is_attributed: bool) -> GpuUse:
        first, last = self._first.energy_joules, self._last.energy_joules
        mean = self._percent_seconds / self._seconds if self._seconds else self._last.utilization_percent
        return GpuUse(
            index=self._last.index,
            uuid=self._last.uuid,
            name=self._last.name,
            is_attributed=is_attributed,
            peak_memory_bytes=self._peak_bytes,
            mean_utilization_percent=round(mean, 1),
            occupied_seconds=round(self._occupied_seconds, 3),
            energy_joules=None if first is None or last is None else round(last - first, 3),
        )
