"""Temporary directories go with their processes, and nothing else is ever removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from telecine.embedding.private_directory import (
    MARKER,
    PrivateDirectory,
    is_private,
    remove_abandoned,
    remove_private,
)

OWNER = """
import sys
from pathlib import Path
from telecine.embedding.private_directory import PrivateDirectory
made = PrivateDirectory.make(Path(sys.argv[1]))
(made.path / "data").mkdir()
(made.path / "data" / "frames").write_bytes(bytes(1000))
print(made.path, flush=True)
input()
"""


def abandoned(base: Path) -> Path:
    """What a killed process has left."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    path = Path(owner.stdout.readline().strip())
    assert remove_abandoned([base]) == [], "its owner is alive"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    return path


def test_it_is_for_this_user_alone_and_goes_with_all_that_it_holds(tmp_path: Path) -> None:
    made = PrivateDirectory.make(tmp_path)
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert is_private(made.path)
    (made.path / "deep" / "er").mkdir(parents=True)
    made.remove()
    made.remove()
    assert not any(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = abandoned(tmp_path)
    assert remove_abandoned([tmp_path / "missing", tmp_path]) == [path]
    assert not any(tmp_path.iterdir())


def test_what_is_in_use_stays_also_where_only_a_forked_child_uses_it(tmp_path: Path) -> None:
    made = PrivateDirectory.make(tmp_path)
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    os.close(made.lock)
    assert remove_abandoned([tmp_path]) == []
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert remove_abandoned([tmp_path]) == [made.path]


def has_no_marker(path: Path) -> None:
    (path / MARKER).unlink()


def has_a_link_for_a_marker(path: Path) -> None:
    (path / MARKER).rename(path.parent / "elsewhere")
    (path / MARKER).symlink_to(path.parent / "elsewhere")


def shares_its_marker(path: Path) -> None:
    os.link(path / MARKER, path.parent / "elsewhere")


def has_a_foreign_marker(path: Path) -> None:
    (path / MARKER).write_text("something else")


def has_a_pipe_for_a_marker(path: Path) -> None:
    (path / MARKER).unlink()
    os.mkfifo(path / MARKER, 0o600)


def is_open_to_others(path: Path) -> None:
    path.chmod(0o755)


def is_a_link(path: Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere")


def has_another_name(path: Path) -> None:
    path.rename(path.parent / "other-thing")


def belongs_to_another_user(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    for each in (path / MARKER, path):
        os.chown(each, 65534, 65534)


@pytest.mark.parametrize(
    "disguise",
    [
        has_no_marker,
        has_a_link_for_a_marker,
        shares_its_marker,
        has_a_foreign_marker,
        has_a_pipe_for_a_marker,
        is_open_to_others,
        is_a_link,
        has_another_name,
        belongs_to_another_user,
    ],
)
def test_whatever_is_not_certainly_ours_stays(tmp_path: Path, disguise: Callable[[Path], None]) -> None:
    path = abandoned(tmp_path)
    disguise(path)
    remove_private(path if disguise is not has_another_name else tmp_path)
    assert remove_abandoned([tmp_path]) == []
    assert [file.stat().st_size for file in tmp_path.rglob("frames")] == [1000]


def test_links_in_it_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("stays")
    path = abandoned(tmp_path)
    (path / "link").symlink_to(tmp_path / "precious")
    (path / "data" / "link").symlink_to(tmp_path / "precious")
    assert remove_abandoned([tmp_path]) == [path]
    assert (tmp_path / "precious" / "file").read_text() == "stays"
