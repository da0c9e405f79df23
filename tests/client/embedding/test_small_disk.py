"""A small disk works as far as it goes; what it can never hold is one clear error at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from telecine import Client
from telecine import exceptions as errors
from telecine.clients.embedded import EmbeddedServer
from telecine.testing import draw_clip

MIB = 1 << 20
FRAME = np.zeros((512, 1024, 4), np.uint8)
"""2 MiB."""


@pytest.fixture(params=[64, 200])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """So many bytes for temporary files."""
    place = tmp_path / "tmp"
    place.mkdir()
    size_bytes = request.param * MIB
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=1777", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield size_bytes
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def server(disk: int) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(settings={"workers": "1"}) as server:
        yield server


def test_a_small_clip_is_encoded(server: EmbeddedServer) -> None:
    with Client(server.address) as client:
        assert client.encode(draw_clip(4), fps=16, outputs="mp4").job.state == "succeeded"


@pytest.mark.parametrize("is_declared", [False, True])
def test_a_clip_that_can_never_fit_is_refused_at_once_with_figures(
    server: EmbeddedServer, disk: int, *, is_declared: bool
) -> None:
    frames = disk // FRAME.nbytes + 1
    declared = {"expected_frames": frames} if is_declared else {}
    began, clip = time.monotonic(), (FRAME for _ in range(frames))
    says = r"could never hold more than \d+.*min_free_bytes"
    with Client(server.address) as client, pytest.raises(errors.TooLargeError, match=says) as caught:
        client.encode(clip, fps=16, outputs="mkv", **declared)
    assert time.monotonic() - began < 20
    assert 0 < int(caught.value.metadata["limit_bytes"]) < disk
    assert (int(caught.value.metadata["actual_bytes"]) > disk) is is_declared


def test_a_floor_above_the_disk_is_one_clear_error(disk: int) -> None:
    with pytest.raises(errors.EmbeddedUnavailableError) as caught:
        EmbeddedServer(settings={"min_free_bytes": "256MiB"})
    for part in ("min_free_bytes", str(256 * MIB), str(disk), tempfile.gettempdir(), "TELECINE_DATA_DIR"):
        assert part in str(caught.value)


def test_a_full_disk_is_one_clear_error_of_a_service_that_has_nothing_to_remove(disk: int) -> None:
    with Path(tempfile.gettempdir(), "other").open("wb") as file:
        file.write(bytes(disk - 2 * MIB))
    with pytest.raises(errors.EmbeddedUnavailableError, match=r"MiB of it free, and .*MiB have to stay free"):
        EmbeddedServer()


@pytest.mark.parametrize("floor", ["", "256MiB"])
def test_the_doctor_judges_by_the_same_floor(disk: int, floor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if floor:
        monkeypatch.setenv("TELECINE_ENCODER_MIN_FREE_BYTES", floor)
    command = [sys.executable, "-P", "-m", "telecine.cli", "doctor"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("nothing fits" in said.stdout) is bool(floor)
    assert ("min_free_bytes" in said.stdout) is bool(floor)
    assert said.returncode == (1 if floor else 0), said.stdout
