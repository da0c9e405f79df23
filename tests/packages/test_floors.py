"""The SDK runs with the oldest and with the newest of what it needs, against services of today."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.encoder_service.server_process import ServerProcess
from tests.log_collector.collector_process import CollectorProcess
from tests.packages.test_distributions import ROOT, SDK, build_wheel

SESSION = Path(__file__).with_name("sdk_session.py")
FLOORS = [re.sub(r">=([\d.]+).*", r"==\1", needs) for needs in SDK["dependencies"]]
"""Each dependency at the oldest version that pyproject.toml allows."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's wheel."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of an encoder and a collector."""
    encoder = ServerProcess(tmp_path / "encoder").start()
    collector = CollectorProcess(tmp_path / "collector").start()
    yield encoder.address, collector.address
    encoder.kill()
    collector.kill()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pins", [FLOORS, []], ids=["oldest", "newest"])
def test_a_worker_with_these_libraries_uses_all_of_the_sdk(
    pins: list[str], wheel: Path, services: tuple[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = str(home / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "--quiet", str(wheel), *pins], check=True, capture_output=True)
    subprocess.run([*pip, "check"], check=True, capture_output=True)
    ran = subprocess.run(
        [python, "-I", "-W", "error", str(SESSION), *services, str(tmp_path)],
        capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("done ")
