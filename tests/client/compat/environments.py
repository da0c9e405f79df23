"""`make compat`: the integrations against the real packages, each set in a virtual environment of its own.

`python -m tests.client.compat.environments [NAME ...]` makes `.compat/<name>` where it is missing and runs
that name's tests in it. CI runs none of this; what needs no foreign package runs with `make test`.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".compat"
_TOOLS = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis", "psutil", "trustme")
_TORCH = "torch>=2.11,<2.16"


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed, and what runs there."""

    requirements: tuple[str, ...]
    tests: tuple[str, ...]
    without_dependencies: tuple[str, ...] = ()
    """Packages whose own dependencies would not fit, such as builds of torch for one version of CUDA."""


ENVIRONMENTS = {
    "diffusers": Environment(
        (_TORCH, "diffusers==0.42.1", "imageio>=2.36", "imageio-ffmpeg>=0.6", "tqdm"),
        ("tests/client/compat/test_real_diffusers.py", "tests/client/compat/test_diffusers.py"),
    ),
    "frameworks": Environment(
        ("fastapi>=0.165", "httpx2", "celery>=5.4"), ("tests/client/compat/test_frameworks.py",)
    ),
    "serving": Environment(
        (),
        ("tests/client/compat/test_real_serving.py", "tests/client/compat/test_serving.py"),
        ("vllm-omni==0.30.0", "sglang==0.5.23"),
    ),
    "imageio": Environment(("imageio>=2.36", "Pillow"), ("tests/client/compat/test_real_imageio.py",)),
    "torch": Environment(
        (_TORCH, "torchcodec==0.17.0", "ml_dtypes"),
        ("tests/client/frames", "tests/client/compat/test_torchcodec.py"),
    ),
}


def main(names: list[str]) -> int:
    """Runs the named environments, or all; returns 1 where tests of one failed."""
    failed = [name for name in names or ENVIRONMENTS if not _run(name, ENVIRONMENTS[name])]
    print(f"failed: {', '.join(failed)}" if failed else "every environment passed")
    return int(bool(failed))


def _run(name: str, environment: Environment) -> bool:
    place = HOME / name
    python = place / "bin" / "python"
    done = place / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *environment.requirements, *_TOOLS], check=True, cwd=ROOT)
        for package in environment.without_dependencies:
            subprocess.run([*install, "--no-deps", package], check=True, cwd=ROOT)
        own = ("-e", ".[encoder]", "-e", "services[encoder]")
        subprocess.run([*install, *own], check=True, cwd=ROOT)
        done.touch()
    print(f"--- {name}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "compat or not compat"]
    return subprocess.run([*command, *environment.tests], check=False, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
