"""The only door to NVML, which reports what NVIDIA's GPUs do; optional, and loaded when a stage starts."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

import msgspec

from telecine.installation import install_command

_lock = threading.Lock()


class GpuReading(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU at one moment."""

    index: int
    uuid: str
    name: str
    utilization_percent: float
    used_bytes: int
    """Of the whole device."""
    bytes_by_pid: dict[int, int]
    """Memory of each process that NVML can name here."""
    energy_joules: float | None
    """Since the driver was loaded; None: the device does not report it."""


class NvmlUnavailableError(Exception):
    """There is no NVML here; the message says why."""


class Nvml:
    """The GPUs of this machine. `close` gives NVML back; idempotent."""

    def __init__(self) -> None:
        """Loads the library. Raises NvmlUnavailableError without package, driver or GPU."""
        self._nvml = _loaded()
        self._is_open = False
        with _lock:
            try:
                self._nvml.nvmlInit()
            except self._nvml.NVMLError as error:
                raise NvmlUnavailableError(str(error)) from error
        self._is_open = True

    def read(self) -> tuple[GpuReading, ...]:
        """Every GPU now; one that cannot be asked is left out."""
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError:
            return ()
        readings = (self._reading(index) for index in range(count))
        return tuple(reading for reading in readings if reading is not None)

    def close(self) -> None:
        """Gives NVML back; idempotent."""
        with _lock:
            if self._is_open:
                self._is_open = False
                try:
                    self._nvml.nvmlShutdown()
                except self._nvml.NVMLError:
                    return

    def _reading(self, index: int) -> GpuReading | None:
        nvml = self._nvml
        try:
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            return GpuReading(
                index=index,
                uuid=str(nvml.nvmlDeviceGetUUID(device)),
                name=str(nvml.nvmlDeviceGetName(device)),
                utilization_percent=float(
                    self._tried(nvml.nvmlDeviceGetUtilizationRates, device, "gpu") or 0
                ),
                used_bytes=int(nvml.nvmlDeviceGetMemoryInfo(device).used),
                bytes_by_pid=self._bytes_by_pid(device),
                energy_joules=self._energy_joules(device),
            )
        except nvml.NVMLError:
            return None

    def _bytes_by_pid(self, device: Any) -> dict[int, int]:
        running = self._tried(self._nvml.nvmlDeviceGetComputeRunningProcesses, device) or ()
        return {process.pid: process.usedGpuMemory or 0 for process in running}

    def _energy_joules(self, device: Any) -> float | None:
        millijoules = self._tried(self._nvml.nvmlDeviceGetTotalEnergyConsumption, device)
        return None if millijoules is None else millijoules / 1000

    def _tried(self, call: Any, device: Any, attribute: str = "") -> Any:
        """What a call says that not every device knows; None: this one does not."""
        try:
            value = call(device)
        except self._nvml.NVMLError:
            return None
        return getattr(value, attribute) if attribute else value


def _loaded() -> ModuleType:
    try:
        import pynvml
    except ImportError as error:
        raise NvmlUnavailableError(f"nvidia-ml-py is not installed: {install_command('gpu')}") from error
    module: ModuleType = pynvml
    return module
