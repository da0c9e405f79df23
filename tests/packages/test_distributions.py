"""The SDK and the services are two distributions of one version; each holds what it should and no more."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVICES = tomllib.loads((ROOT / "services/pyproject.toml").read_text())["project"]


def build_wheel(source: Path, into: Path) -> Path:
    """The wheel of the distribution in `source`, made as `pip install` makes it."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(into)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    [wheel] = into.glob("*.whl")
    return wheel


def test_both_have_one_version_and_name_each_other_by_it() -> None:
    version = SDK["version"]
    assert SERVICES["version"] == version
    assert SERVICES["dependencies"][0] == f"telecine[cli]=={version}"
    for extra in ("hosting", "encoder", "collector", "sinks", "http"):
        [needs] = SDK["optional-dependencies"][extra]
        assert needs.startswith("telecine-services")
        assert needs.endswith(f"=={version}")


def test_the_sdk_brings_itself_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(ROOT, tmp_path)) as wheel:
        names = wheel.namelist()
        sizes = sum(entry.file_size for entry in wheel.infolist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"telecine"}
    assert "telecine/py.typed" in names
    assert "telecine/schemas/manifest.schema.json" in names
    assert sizes < 3_000_000


def test_the_services_bring_their_three_packages_and_their_licences(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(ROOT / "services", tmp_path)) as wheel:
        names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {"encoder_service", "log_collector", "service_host"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    assert any(name.endswith("licenses/LICENSE-DejaVu.txt") for name in names)
    assert "encoder_service/fonts/DejaVuSans.ttf" in names
    assert "log_collector/http/telecine-log.js" in names
    assert not [name for name in names if name.endswith((".md", ".pyc"))]
    fonts = ROOT / "encoder_service/fonts/LICENSE-DejaVu.txt"
    assert fonts.read_text() == (ROOT / "services/LICENSE-DejaVu.txt").read_text()


@pytest.mark.parametrize("licence", ["LICENSE"])
def test_both_carry_the_same_licence(licence: str) -> None:
    assert (ROOT / licence).read_text() == (ROOT / "services" / licence).read_text()
