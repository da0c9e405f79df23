"""Six walls around a worker, each tried by a process that stands behind it; and what passes, passes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from encoder_service.evidence.facts import Wall
from encoder_service.worker.sandbox import landlock, linux

pytestmark = pytest.mark.skipif(
    linux.column() is None or landlock.version() < 3, reason="the kernel has no Landlock to stand on"
)
PRISONER = Path(__file__).with_name("prisoner.py")


def imprison(place: Path, mode: str) -> dict[str, Any]:
    """Runs the prisoner; returns its report."""
    for name in ("attempt", "spool", "other/empty"):
        (place / name).mkdir(parents=True)
    (place / "spool" / "video.raw").write_bytes(b"frames")
    for name in ("theirs", "goner", "mover"):
        (place / "other" / name).write_bytes(b"another client's")
    victim = subprocess.Popen(["sleep", "60"])
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        unix.bind(str(place / "socket"))
        abstract.bind(f"\0{place}/abstract")
        unix.listen()
        abstract.listen()
        port = tcp.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-P", str(PRISONER), mode, str(place), str(port), str(victim.pid)],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=100,
        )
    is_victim_alive = victim.poll() is None
    victim.kill()
    victim.wait()
    return {**json.loads(done.stdout), "is_victim_alive": is_victim_alive}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of each try behind the walls, and what is left of the other job."""
    place = tmp_path_factory.mktemp("prison")
    report = imprison(place, "required")
    others = {path.name: path.stat() for path in (place / "other").iterdir()}
    return {**report, "others": others, "theirs": (place / "other" / "theirs").read_bytes()}


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What becomes of each try without walls."""
    return imprison(tmp_path_factory.mktemp("free"), "off")


def test_all_walls_stand_here(tried: dict[str, Any]) -> None:
    assert tried["missing"] == {}
    assert tried["standing"] == [wall.value for wall in Wall]


@pytest.mark.parametrize("wall", [*(wall.value for wall in Wall), "kernel"])
def test_nothing_passes_the_wall(tried: dict[str, Any], wall: str) -> None:
    passed = {name: how for name, how in tried["results"][wall].items() if how == "done"}
    assert tried["results"][wall]
    assert passed == {}


@pytest.mark.parametrize("wall", [wall.value for wall in Wall])
def test_without_the_wall_each_of_these_works(free: dict[str, Any], wall: str) -> None:
    """So each try is a real one. Bounds that the machine itself sets are left out."""
    needs_root = {"a device", "core dumps", "the program"}
    failed = {
        name: how
        for name, how in free["results"][wall].items()
        if how != "done" and not (name in needs_root and os.geteuid() != 0)
    }
    assert failed == {}


_OF_ANOTHER_USER = """
import os, pathlib, sys
from encoder_service.evidence.facts import Confinement
from encoder_service.worker.sandbox.walls import Reach, lock
place = pathlib.Path(sys.argv[1])
walls = lock(Reach((str(place / "attempt"),), (str(place / "video.raw"),)), Confinement())
(place / "attempt" / "clip").write_bytes((place / "video.raw").read_bytes())
denied = []
for path in (place / "secret", pathlib.Path("/etc/shadow")):
    try:
        path.read_bytes()
    except PermissionError:
        denied.append(path.name)
effective = next(line for line in open("/proc/self/status") if line.startswith("CapEff"))
print(dict(walls.missing), denied, int(effective.split()[1], 16))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can look past permissions")
@pytest.mark.parametrize(("owner", "capabilities"), [(0, 0), (65534, 0b110)])
def test_a_worker_of_root_keeps_of_its_powers_what_its_job_cannot_do_without(
    tmp_path: Path, owner: int, capabilities: int
) -> None:
    """Its data may lie in another user's closed directory; Landlock says what the right is worth there."""
    (tmp_path / "attempt").mkdir()
    for name in ("video.raw", "secret"):
        (tmp_path / name).write_bytes(b"frames")
    for path in (*tmp_path.iterdir(), tmp_path):
        os.chown(path, owner, owner)
        path.chmod(0o700 if path.is_dir() else 0o600)
    done = subprocess.run(
        [sys.executable, "-P", "-c", _OF_ANOTHER_USER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{{}} ['secret', 'shadow'] {capabilities}"
    assert (tmp_path / "attempt" / "clip").read_bytes() == b"frames"


def test_what_a_codec_needs_passes(tried: dict[str, Any]) -> None:
    assert {name: how for name, how in tried["results"]["allowed"].items() if how != "done"} == {}


def test_nothing_of_others_has_changed(tried: dict[str, Any]) -> None:
    assert tried["is_victim_alive"]
    assert tried["theirs"] == b"another client's"
    assert set(tried["others"]) == {"theirs", "goner", "mover", "empty"}
    assert tried["others"]["theirs"].st_mtime > 1000
    assert tried["others"]["theirs"].st_mode & 0o777 != 0o777
