"""A GPU worker's use of the SDK, for an environment of its own: `sdk_session.py ENCODER COLLECTOR DIRECTORY`.

It runs where the SDK's wheel is installed and nothing of this repository can be imported.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import telecine
from telecine.logging import configure_logging, flush_logging, get_logger

FRAMES = np.linspace(0, 255, 12 * 48 * 64 * 3).astype(np.uint8).reshape(12, 48, 64, 3)


def encode_blocking(server: str, directory: Path) -> str:
    """Several outputs, downloaded and read back; returns the job's id."""
    with telecine.Client(server) as client:
        assert {"mp4", "webp"} <= {row.format for row in client.capabilities().formats}
        result = client.encode(FRAMES, fps=12, outputs=["mp4", "webp", "png"], to=directory)
        assert result["mp4"].local_path.stat().st_size
        assert client.get_job(result.job_id).state is telecine.JobState.SUCCEEDED
        assert any(job.job_id == result.job_id for job in client.jobs())
        assert "no-such-format" in refusal(lambda: client.encode(FRAMES, fps=12, outputs=["no-such-format"]))
        assert "0000" in refusal(lambda: client.get_job("0" * 32))
        return result.job_id


def refusal(call: Callable[[], object]) -> str:
    """What a call that must fail says."""
    try:
        call()
    except telecine.TelecineError as error:
        return str(error)
    raise AssertionError("it was taken")


async def encode_in_asyncio(server: str) -> None:
    """Frames as they come, from floats."""
    async with telecine.AsyncClient(server) as client:
        async with client.open_job(fps=8, outputs=["webm"]) as job:
            for frame in FRAMES.astype(np.float32) / 255:
                await job.push(frame)
            result = await job.result()
        assert result["webm"].size_bytes


def log(collector: str, directory: Path) -> None:
    """Records reach the collector, the secret in them does not."""
    configure_logging(
        "floor", collector=collector, spool_directory=directory / "spool", directory=directory / "logs"
    )
    get_logger().info("frames made", frames=12, token="ghp_" + "a1B2" * 9)
    logging.getLogger("other").warning("from stdlib")
    assert flush_logging(20)
    with telecine.LogClient(collector) as client:
        until, found = time.monotonic() + 20, []
        while len(found) < 2 and time.monotonic() < until:
            found = list(client.query(telecine.LogFilter(services=["floor"])))
    assert len(found) == 2, found
    assert b"ghp_" not in b"".join(found)


def main(encoder: str, collector: str, directory: Path) -> None:
    """Runs all of it."""
    encode_blocking(encoder, directory / "out")
    asyncio.run(encode_in_asyncio(encoder))
    log(collector, directory)
    print("done", telecine.__version__)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
