"""docs/operate: the doors open as shown, units and settings are taken, every named setting exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.tools.settings import settings_of
from tests.pages.pages import ROOT, examples, page_text, run_shell

OPERATE = ROOT / "docs/operate"
UNITS = ("telecine-encoder.service", "telecine-collector.service")


def test_the_doors_open_as_the_page_shows(tmp_path: Path) -> None:
    """All commands of the page as one, on a free port; without the key nobody comes in."""
    certificate, keys, server, client = examples("docs/operate/doors.md", "sh")
    (settings,) = examples("docs/operate/doors.md", "toml")
    (tmp_path / "telecine.toml").write_text(settings.replace("0.0.0.0:50051", "0.0.0.0:0"))
    commands = [
        "exec 2>errors",
        certificate,
        keys,
        server.replace("&", ">ready &"),
        "trap 'kill $!; wait' EXIT",
        "until [ -s ready ]; do sleep 0.1; done",
        "port=$(sed 's/.*0.0.0.0:\\([0-9]*\\).*/\\1/' ready)",
        client.replace("50051", "$port").replace("telecine doctor\n", ""),
        "unset TELECINE_TOKEN_FILE; telecine jobs list --json || echo refused: $?",
    ]
    printed = run_shell("\n".join(commands), tmp_path)
    assert "no jobs" in printed
    assert "CREDENTIALS_MISSING" in printed
    assert "refused: 2" in printed


def test_the_settings_for_one_host_are_sound(tmp_path: Path) -> None:
    (settings,) = examples("docs/operate/one-host.md", "toml")
    (tmp_path / "telecine.toml").write_text(settings)
    assert "sound" in run_shell("telecine config check telecine.toml", tmp_path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze comes with systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With a program that is there instead of the installed one, which the check looks for."""
    for name in UNITS:
        unit = (OPERATE / name).read_text()
        (tmp_path / name).write_text(unit.replace("/opt/telecine/bin/telecine", "/bin/true"))
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_unit_lets_its_service_drain() -> None:
    from service_host.settings.host_config import HostConfig

    host = HostConfig()
    for name in UNITS:
        (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", (OPERATE / name).read_text(), re.MULTILINE)
        assert int(seconds) > host.drain_seconds + host.stop_grace_seconds


def test_every_setting_that_the_pages_name_exists() -> None:
    known = set()
    for section in ("encoder", "collector", "sdk", "logging", "tls"):
        for setting in settings_of(section):
            parts = setting.key.replace("[]", "").split(".")
            known |= {".".join(parts[-length:]) for length in range(1, len(parts) + 1)}
            known |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    suffixes = ("_bytes", "_seconds", "_ratio", "_jobs", "_calls", "_streams", "_records", "_count", "_files")
    for page in sorted(OPERATE.glob("*.md")):
        named = set(re.findall(r"`([a-z]+(?:[._][a-z]+)+)`", page_text(f"docs/operate/{page.name}")))
        settings = {name for name in named if name.endswith(suffixes) and not name.startswith("telecine_")}
        settings |= {
            name for name in named if name.startswith(("host.", "intake.", "journal.", "selection."))
        }
        assert settings <= known, page.name
