"""Generates the stubs in client/telecine from protos/, or checks that they are fresh.

They are made by a generator that is older than the libraries which the project is developed with: stubs of
protobuf 4.25 run with every protobuf from 4.25 to 7, those of a later one refuse what is older than itself,
and the stubs of grpcio-tools after 1.62 every older grpcio. What GPU workers have installed decides.
(docs/decisions/floors.md)
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
CLIENT = PROTOS.parent / "client"
GENERATOR = "grpcio-tools==1.62.3"
TOOLS = Path(sys.prefix) / "protos-tools"
"""Its own environment: it needs a protobuf that nothing else here wants."""


class GeneratorMissingError(Exception):
    """The generator cannot be installed here; for Python 3.13 and later there is none."""


def _generator() -> str:
    """The Python that has the generator; made at the first call. Raises GeneratorMissingError."""
    python = TOOLS / "bin" / "python"
    ready = TOOLS / f"{GENERATOR}.ready"
    if not ready.exists():
        venv.create(TOOLS, clear=True, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        installed = subprocess.run(
            [*pip, "--disable-pip-version-check", "--only-binary", ":all:", GENERATOR, "protobuf==4.25.9"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if installed.returncode:
            raise GeneratorMissingError(installed.stderr.strip().splitlines()[-1])
        ready.touch()
    return str(python)


def generate(into: Path) -> list[Path]:
    """Writes every stub below `into` and returns their paths relative to it."""
    sources = sorted(p.relative_to(PROTOS).as_posix() for p in PROTOS.rglob("*.proto"))
    out = [f"--{kind}_out={into}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    plugin = f"{Path(sys.executable).parent}/protoc-gen-mypy"
    subprocess.run(
        [
            _generator(), "-m", "grpc_tools.protoc", f"-I{PROTOS}", *out,
            f"--plugin=protoc-gen-mypy={plugin}", f"--plugin=protoc-gen-mypy_grpc={plugin}_grpc", *sources,
        ],
        check=True,
    )  # fmt: skip
    for empty in [p for p in into.rglob("*_pb2_grpc.py*") if not _has_service(p)]:
        empty.unlink()
    for folder in {p.parent for p in into.rglob("*_pb2*")}:
        (folder / "__init__.py").write_text(f'"""Generated stubs of telecine.{_package(folder)}."""\n')
        outer = folder.parent / "__init__.py"
        outer.write_text(f'"""Generated stubs of telecine.{folder.parent.name}."""\n')
    made = {p for p in into.rglob("*_pb2*") if "__pycache__" not in p.parts}
    return sorted(p.relative_to(into) for p in made)


def _has_service(stub: Path) -> bool:
    return "Stub" in stub.read_text()


def _package(folder: Path) -> str:
    return f"{folder.parent.name}.{folder.name}"


def main() -> int:
    """Runs the command line; returns 1 when --check finds a stale stub."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, change nothing")
    if not parser.parse_args().check:
        generate(CLIENT)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        try:
            made = generate(Path(scratch))
        except GeneratorMissingError as error:
            print(f"SKIPPED: stubs are not compared; no {GENERATOR} here: {error}", file=sys.stderr)
            return 0
        stale = [p for p in made if not _is_same(Path(scratch) / p, CLIENT / p)]
    for path in stale:
        print(f"stale stub: client/{path}; run `make protos`", file=sys.stderr)
    return 1 if stale else 0


def _is_same(fresh: Path, kept: Path) -> bool:
    return kept.exists() and filecmp.cmp(fresh, kept, shallow=False)


if __name__ == "__main__":
    sys.exit(main())
