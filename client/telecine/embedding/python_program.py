"""The command line and the environment of a Python program of ours that runs beside this one.

A new interpreter finds modules by itself where this one found them, with one exception: neither the working
directory nor the directory of the user's script is searched. What lies there under the name of a module
(`queue.py`, `av.py`) is not ours.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from telecine.exceptions import EmbeddedUnavailableError

_KEPT = frozenset(
    {
        "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONUTF8",
        "PYTHONCOERCECLOCALE", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONFAULTHANDLER",
    }
)  # fmt: skip
"""What an interpreter needs in order to be the same one. Everything else of the kind is for the user's own
program: PYTHONINSPECT would keep a service from ending, PYTHONWARNINGS=error from starting."""
_NEEDED = (
    "telecine", "service_host", "encoder_service", "log_collector", "grpc", "grpc_health", "numpy", "msgspec",
    "structlog", "google_crc32c", "zstandard", "av", "PIL", "blake3", "re2", "prometheus_client",
)  # fmt: skip
"""Top-level packages that a service imports."""


def python_command(module: str) -> list[str]:
    """The command that runs `module` with this process's interpreter.

    Raises EmbeddedUnavailableError if no interpreter is known that could be started.
    """
    if not sys.executable or not (Path(sys.executable).is_file() and os.access(sys.executable, os.X_OK)):
        raise EmbeddedUnavailableError(
            f"this program's Python interpreter cannot be started: sys.executable is {sys.executable!r}; "
            "set it to a Python that has telecine installed"
        )
    flags = ["-P"]
    flags += ["-s"] if sys.flags.no_user_site else []
    flags += ["-S"] if sys.flags.no_site else []
    flags += ["-B"] if sys.flags.dont_write_bytecode else []
    return [sys.executable, *flags, "-m", module]


def python_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for such a program: of Python's own variables, only those that it needs.

    Programs that it starts in turn do not search the working directory either.
    """
    kept = frozenset() if sys.flags.ignore_environment else _KEPT
    child = {name: value for name, value in environ.items() if not name.startswith("PYTHON") or name in kept}
    if roots := import_roots(sys.path):
        child["PYTHONPATH"] = os.pathsep.join(roots)
    child["PYTHONSAFEPATH"] = "1"
    return child


def import_roots(search_path: Sequence[str]) -> list[str]:
    """Where on `search_path` our packages are found, as far as a new interpreter would not look there.

    The working directory and the script's count only if this very package was imported from there, as in a
    checkout or below `pip install --target`.
    """
    own_root = os.path.realpath(Path(__file__).parents[2])
    unsafe = _unsafe_directories() - {own_root}
    known = _default_roots()
    roots: list[str] = []
    entries = [os.path.abspath(entry) for entry in search_path]  # noqa: PTH100 - "" is the working directory
    entries = [entry for entry in entries if os.path.realpath(entry) not in unsafe]
    for name in _NEEDED:
        root = next((entry for entry in entries if _has_package(entry, name)), None)
        is_new = root is not None and root not in roots and os.path.realpath(root) not in known
        if root is not None and is_new and os.pathsep not in root:
            roots.append(root)
    return sorted(roots, key=entries.index)


def _has_package(entry: str, name: str) -> bool:
    try:
        spec = PathFinder.find_spec(name, [entry])
    except (ImportError, OSError, ValueError):
        return False
    return spec is not None and spec.loader is not None and spec.origin is not None


def _unsafe_directories() -> set[str]:
    found: set[str] = set()
    try:
        found.add(os.path.realpath(Path.cwd()))
    except OSError:  # the working directory was removed
        pass
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script:
        found.add(os.path.realpath(Path(os.path.realpath(script)).parent))
    return found


def _default_roots() -> set[str]:
    """Where a new interpreter looks without being asked to."""
    paths = sysconfig.get_paths()
    found = {paths["stdlib"], paths["platstdlib"], str(Path(paths["platstdlib"]) / "lib-dynload")}
    if sys.flags.no_site:
        return {os.path.realpath(path) for path in found}
    sites = [*site.getsitepackages(), paths["purelib"], paths["platlib"]]
    if site.ENABLE_USER_SITE:
        sites.append(site.getusersitepackages())
    found.update(sites)
    for directory in sites:
        found.update(_named_by_path_files(Path(directory)))
    return {os.path.realpath(path) for path in found}


def _named_by_path_files(directory: Path) -> set[str]:
    """The directories that `.pth` files, such as those of editable installs, add."""
    named: set[str] = set()
    try:
        for file in directory.glob("*.pth"):
            lines = (line.strip() for line in file.read_text(errors="replace").splitlines())
            named.update(
                str(directory / line) for line in lines if line and not line.startswith(("#", "import"))
            )
    except OSError:
        pass
    return named
