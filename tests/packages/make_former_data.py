"""Makes data directories of both services with the release that is installed, for `test_upgrade`.

Ran with release 0.1.0: `python make_former_data.py DIRECTORY`, then packed as data/0.1.0.tar.zst. The
services were killed in the end: one job has ended, of another six of ten frames have come, and 201 records
are stored.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import telecine
from telecine.logging import configure_logging, flush_logging, get_logger

ENDED, HALF = "a" * 32, "b" * 32


def clip() -> np.ndarray:
    """Ten frames of 64x48 whose values say where and when they are."""
    rows, columns = np.arange(48)[:, None], np.arange(64)
    moving = np.arange(10)[:, None, None] * 9 + rows * 3 + columns * 2
    return (moving[..., None] + np.array([0, 40, 80])).astype(np.uint8)


def _start(module: str, data: Path, *settings: str) -> tuple[subprocess.Popen[bytes], str]:
    command = [sys.executable, "-m", module, "--listen", "127.0.0.1:0", "--data-dir", str(data)]
    for setting in settings:
        command += ["--set", setting]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["address"]


def main(home: Path) -> None:
    """Fills `home`, which must not exist."""
    home.mkdir()
    encoder, encoder_address = _start("encoder_service", home / "encoder", "workers=1", "min_free_bytes=0")
    collector, collector_address = _start("log_collector", home / "collector")
    client = telecine.Client(encoder_address)
    client.encode(clip(), fps=10, outputs=["mp4", "webp"], job_id=ENDED)
    client.open_job(fps=10, outputs=["webm"], job_id=HALF).push(clip()[:6])
    configure_logging("worker", collector=collector_address, spool_directory=home / "spool", has_files=False)
    for number in range(200):
        get_logger().info("step", number=number, job_id=ENDED)
    get_logger().error("broken", job_id=ENDED)
    assert flush_logging(20)
    threading.Event().wait(2)  # what was acknowledged reaches the files, too
    for process in (encoder, collector):
        os.kill(process.pid, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
