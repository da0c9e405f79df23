"""One real service for each module that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.encoder_service.server_process import ServerProcess
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running encoder service with two workers."""
    server = ServerProcess(tmp_path_factory.mktemp("encoder") / "data").start()
    yield server
    assert server.stop() == 0
    server.assert_no_orphans()


@pytest.fixture(scope="session", autouse=True)
def x265_without_assembly(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Encodes a narrow HEVC clip before any other, so that this process never uses x265's faulty AVX code.

    x265 chooses its code once a process, and a worker serves one attempt; tests encode clips of all sizes in
    one process, and a wide one before a narrow one would have the narrow one write past its memory.
    """
    run_writer(tmp_path_factory.mktemp("x265"), gradient_clip(2), format="mp4", codec="hevc", quality="draft")
