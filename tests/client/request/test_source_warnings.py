"""What frames do not carry of their source stands in result and manifest, and is an error where strict."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.exceptions import InvalidFramesError, InvalidRequestError
from telecine.testing import encoder_server

FRAMES = np.zeros((2, 16, 16, 3), np.uint8)


def codes(warnings: object) -> list[str]:
    return [warning["code"] if isinstance(warning, dict) else warning.code for warning in warnings]


def test_a_warning_stands_in_result_and_manifest(encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client, client.open_job(fps=1, metadata={"p": "\ud83d"}) as job:
        job.push(FRAMES)
        for _ in range(2):
            job.warn("SOURCE_SOUND_DROPPED", "its sound is left out")
        result = job.result()
        assert codes(result.warnings) == ["METADATA_ESCAPED", "SOURCE_SOUND_DROPPED"]
        assert codes(result.manifest["warnings"]) == codes(result.warnings)
        assert result.manifest["metadata"] == {"p": "\\ud83d"}
        assert codes(client.get_job(job.job_id).warnings) == codes(result.warnings)


async def test_the_asyncio_client_does_the_same(encoder: EmbeddedServer) -> None:
    async with AsyncClient(encoder.address) as client:
        job = client.open_job(fps=1, out_of_range="clip")
        await job.push(np.full((1, 16, 16, 3), 2.0, np.float32))
        job.warn("SOURCE_INTERLACED", "it is interlaced")
        result = await asyncio.wait_for(job.result(), 60)
        assert codes(result.manifest["warnings"]) == ["SOURCE_INTERLACED", "SAMPLES_CLIPPED"]
        assert "768 samples" in result.warnings[1].message
        await job.close()


def test_with_strict_it_is_an_error(encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client:
        with pytest.raises(InvalidFramesError, match="METADATA_ESCAPED"):
            client.open_job(fps=1, metadata={"p": "\ud83d"}, strict=True)
        job = client.open_job(fps=1, strict=True)
        job.push(FRAMES)
        with pytest.raises(InvalidFramesError, match=r"SOURCE_SOUND_DROPPED.*strict"):
            job.warn("SOURCE_SOUND_DROPPED", "its sound is left out")
        job.warn("SOURCE_DAMAGED", "as was allowed")
        with pytest.raises(InvalidRequestError, match="code is 'ODD'"):
            job.warn("ODD", "x")
        assert codes(job.result().warnings) == ["SOURCE_DAMAGED"]


def test_a_warning_outlives_the_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with encoder_server(data_dir=data) as server, Client(server.address) as client:
        job = client.open_job(fps=1, job_id="j")
        job.push(FRAMES)
        job.warn("SOURCE_TIMING_CHANGED", "uneven")
        job.result()
        os.kill(server.pid, signal.SIGKILL)
    with encoder_server(data_dir=data) as server, Client(server.address) as client:
        assert codes(client.get_job("j").warnings) == ["SOURCE_TIMING_CHANGED"]
