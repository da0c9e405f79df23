"""A program of ours finds its packages where this one does, and nothing in the working directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from telecine.clients import embedded
from telecine.clients.embedded import EmbeddedServer
from telecine.embedding.python_program import import_roots, python_command, python_environment
from telecine.exceptions import EmbeddedUnavailableError

import encoder_service

NAMES = (
    "queue.py", "random.py", "types.py", "token.py", "logging.py", "selectors.py", "av.py", "msgspec.py",
    "av/__init__.py", "numpy/__init__.py", "grpc/__init__.py", "google/__init__.py",
    "encoder_service/__init__.py", "service_host/__init__.py", "telecine/__init__.py",
    "sitecustomize.py", "usercustomize.py",
)  # fmt: skip
CODE_ROOT = Path(encoder_service.__file__).parents[1]


def trap(directory: Path) -> Path:
    """Fills a directory with modules that note when they are run."""
    for name in NAMES:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"open({str(directory / 'ran')!r}, 'a').write({name!r} + ' ')\nraise SystemExit(9)\n")
    return directory


def run_clip(command: list[str], cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ENCODE = """
import sys
{first}
import json, numpy, telecine
from telecine.clients.embedded import embedded_server
result = telecine.encode(numpy.zeros((2, 32, 32, 3), numpy.uint8), fps=2, outputs="mkv")
print(json.dumps([result.job.state, embedded_server().pid]))
"""


def test_modules_in_the_working_directory_are_not_run(tmp_path: Path) -> None:
    script = tmp_path / "elsewhere" / "script.py"
    script.parent.mkdir()
    script.write_text(ENCODE.format(first=""))
    cwd = trap(tmp_path / "cwd")
    (cwd / "telecine-data").mkdir()
    assert "succeeded" in run_clip([sys.executable, str(script)], cwd)
    assert not (cwd / "ran").exists()


def test_nor_are_those_beside_the_users_script_or_in_an_empty_entry_of_the_search_path(
    tmp_path: Path,
) -> None:
    here = trap(tmp_path / "script")
    cwd = trap(tmp_path / "cwd")
    script = here / "script.py"
    client = ENCODE.format(first="").replace("embedded_server().pid", "0")
    script.write_text(f"""
import subprocess, sys
from telecine.clients.embedded import EmbeddedServer
import select, json, tempfile, random  # before the search path is what careless programs make of it
sys.path[:0] = ["", {str(here)!r}]
with EmbeddedServer() as server:
    command = [sys.executable, "-P", "-c", {client!r}]
    subprocess.run(command, cwd="/", env={{"TELECINE_SERVER": server.address}}, check=True)
""")
    assert "succeeded" in run_clip([sys.executable, "-P", str(script)], cwd)
    assert not (here / "ran").exists()
    assert not (cwd / "ran").exists()


def test_nor_are_those_in_the_data_directory(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "data") as first:
        pass
    trap(first.data_dir)
    with EmbeddedServer(first.data_dir) as server:
        assert server.is_running
    assert not (first.data_dir / "ran").exists()


@pytest.mark.parametrize("variable", ["PYTHONINSPECT=1", "PYTHONSTARTUP=/nowhere.py", "PYTHONWARNINGS=error"])
def test_what_changes_python_for_the_user_does_not_change_the_service(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, _, value = variable.partition("=")
    monkeypatch.setenv(name, value)
    assert name not in python_environment(os.environ)
    with EmbeddedServer(tmp_path) as server:
        pass
    assert not server.is_running


@pytest.mark.parametrize("is_archive", [False, True])
def test_packages_come_from_where_the_program_has_them(tmp_path: Path, *, is_archive: bool) -> None:
    """As in a checkout on PYTHONPATH, below `pip install --target`, or in an archive."""
    root = tmp_path / "root"
    root.mkdir()
    for package, place in (("telecine", "client"), ("encoder_service", ""), ("service_host", "")):
        (root / package).symlink_to(CODE_ROOT / place / package)
    if is_archive:
        with zipfile.ZipFile(tmp_path / "root.zip", "w") as archive:
            for file in [
                path for name in ("telecine", "service_host") for path in (root / name).rglob("*.py")
            ]:
                archive.write(file, str(file.relative_to(root)))
        root = tmp_path / "root.zip"
    code = """
        import os, sys, telecine
        from telecine.embedding.python_program import python_environment
        print(telecine.__file__)
        print(python_environment(os.environ)["PYTHONPATH"])
    """
    out = run_clip([sys.executable, "-c", textwrap.dedent(code)], tmp_path, PYTHONPATH=str(root)).splitlines()
    assert out[0].startswith(str(root))
    assert out[1] == str(root)


def test_a_script_in_its_own_checkout_still_has_its_packages(tmp_path: Path) -> None:
    for package, place in (("telecine", "client"), ("encoder_service", ""), ("service_host", "")):
        (tmp_path / package).symlink_to(CODE_ROOT / place / package)
    (tmp_path / "queue_of_mine.py").write_text("")
    script = tmp_path / "script.py"
    script.write_text(ENCODE.format(first="") + "print(telecine.__file__)\n")
    state, home = run_clip([sys.executable, str(script)], tmp_path).splitlines()
    assert json.loads(state)[0] == "succeeded"
    assert home.startswith(str(tmp_path))


def test_nothing_is_added_where_a_new_interpreter_finds_everything() -> None:
    assert import_roots(sys.path) == []


def test_a_directory_without_our_packages_is_not_passed_on(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "av.py").write_text("")
    assert import_roots([str(tmp_path), *sys.path, str(tmp_path / "odd")]) == []


@pytest.mark.parametrize("executable", [None, "", "/nonexistent/python", "/etc/hostname", "/tmp"])
def test_a_program_without_an_interpreter_is_reported(
    executable: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(EmbeddedUnavailableError, match=r"sys\.executable|cannot be started"):
        EmbeddedServer(tmp_path)


def test_the_flags_of_this_interpreter_are_kept() -> None:
    command = python_command("encoder_service")
    assert command[0] == sys.executable
    assert "-P" in command
    assert command[-2:] == ["-m", embedded._MODULES["encoder"]]
