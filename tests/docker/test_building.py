"""What builds the images, without an engine: the scripts, and a bill of what is installed here."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
SCRIPTS = sorted((ROOT / "docker").glob("*.sh"))


def load_bill():
    spec = importlib.util.spec_from_file_location("bill_of_materials", ROOT / "docker/bill_of_materials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bill = load_bill()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_one(script):
    subprocess.run(["sh", "-n", str(script)], check=True)


def build_images(tmp_path, **variables):
    """Runs the script with an engine that notes how it is called; returns (exit code, output, calls)."""
    engine, calls = tmp_path / "engine", tmp_path / "calls"
    engine.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\ncase "$*" in *Size*) echo 1000000;; *) echo made;; esac\n'
    )
    engine.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "docker/build-images.sh")],
        env={"PATH": os.environ["PATH"], "ENGINE": str(engine), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr, calls.read_text() if calls.exists() else ""


def test_both_images_are_built_from_a_registrys_python_if_nothing_else_is_said(tmp_path):
    code, output, calls = build_images(tmp_path, PIP_INDEX_URL="https://user:secret@index.example/simple")
    assert code == 0, output
    builds = [line for line in calls.splitlines() if line.startswith("build ")]
    assert len(builds) == 2
    for line, service in zip(builds, ("encoder", "collector"), strict=True):
        assert f"--target {service} -t telecine-{service}:latest" in line
        assert "BASE_IMAGE=python:3.12-slim" in line
        assert "--build-arg PIP_INDEX_URL " in line
    assert "secret" not in calls


def test_a_base_without_a_registry_is_taken_where_it_is_there(tmp_path):
    code, output, calls = build_images(tmp_path, BASE="debootstrap", BUILD_CA="/ca.pem", TAG="t")
    assert code == 0, output
    assert "BASE_IMAGE=telecine-base:bookworm" in calls
    assert "PIP_CERT=/usr/local/share/build-ca.crt" in calls
    assert "telecine-encoder:t" in calls


def test_what_cannot_be_built_is_said_in_one_line(tmp_path):
    code, output, calls = build_images(tmp_path, BASE="debian")
    assert (code, output) == (2, "BASE is debian: expected registry or debootstrap\n")
    assert "build " not in calls
    code, output, _ = build_images(tmp_path, ENGINE="false")
    assert code == 1
    assert output.startswith("false does not answer")


def test_every_library_that_our_wheels_bring_has_a_licence():
    found = [
        component
        for component in bill.library_components(SITE_PACKAGES)
        if not component["bom-ref"].startswith("scipy")  # for tests alone
    ]
    names = {component["name"] for component in found}
    assert {"libx264", "libx265", "libavcodec"} <= names
    assert [c["name"] for c in found if bill.licence_of(c) == bill.UNKNOWN] == []


def test_ffmpegs_licence_is_what_ffmpeg_says():
    """The wheel's FFmpeg is configured with `--enable-version3`; x264 and x265 come beside it."""
    [library] = SITE_PACKAGES.glob("av.libs/libavcodec-*")
    assert b"license: LGPL version 3 or later" in library.read_bytes()
    assert bill.LIBRARY_LICENCES["avcodec"] == "LGPL-3.0-or-later"
    assert bill.LIBRARY_LICENCES["x264"].startswith("GPL")


def test_the_bill_names_everything_with_its_licence(tmp_path):
    status = tmp_path / "status"
    status.write_text(
        "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:3.0+deb12\n\n"
        "Package: perl-base\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 5.36\n\n"
        "Package: odd\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    )
    documents = tmp_path / "doc"
    (documents / "libssl3").mkdir(parents=True)
    (documents / "libssl3/copyright").write_text(
        "Format: https://…\n\nFiles: *\nLicense: Apache-2.0\n text\n"
    )
    packages = tmp_path / "packages.json"
    named = [{"name": "telecine", "version": "9.9"}, {"name": "protobuf", "version": "7"}]
    packages.write_text(json.dumps({"bomFormat": "CycloneDX", "components": named}))
    command = [sys.executable, str(ROOT / "docker/bill_of_materials.py"), "--image", "telecine-encoder"]
    command += ["--python-packages", str(packages), "--site-packages", str(SITE_PACKAGES)]
    command += ["--dpkg-status", str(status), "--documents", str(documents), "--into", str(tmp_path / "out")]
    subprocess.run(command, check=True)
    made = json.loads((tmp_path / "out/sbom.cdx.json").read_text())
    by_name = {component["name"]: component for component in made["components"]}
    assert made["metadata"]["component"]["version"] == "9.9"
    assert by_name["libssl3"]["purl"].startswith("pkg:deb/debian/libssl3@1%3A3.0%2Bdeb12?arch=amd64&distro=")
    assert by_name["libssl3"]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    assert by_name["odd"]["licenses"] == [{"license": {"name": "see /usr/share/doc/odd/copyright"}}]
    assert by_name["protobuf"]["licenses"] == [{"license": {"name": "3-Clause BSD License"}}]
    assert "perl-base" not in by_name
    assert "cpython" in by_name
    assert "libx264" in by_name
    listed = (tmp_path / "out/licences.txt").read_text()
    assert "GPL-2.0-or-later" in listed
    assert "3-Clause BSD License" in listed


@pytest.mark.parametrize(("extra", "brings"), [("encoder", "av>="), ("sinks", "duckdb>=")])
def test_the_layer_of_requirements_holds_others_packages_alone(extra, brings):
    command = [sys.executable, "docker/list_requirements.py", extra]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert any(line.startswith(brings) for line in lines)
    assert any(line.startswith("grpcio-reflection") for line in lines)
    assert any(line.startswith("typer") for line in lines)
    assert any(line.startswith("aiohttp") for line in lines)
    assert not any(line.startswith("telecine") for line in lines)


def trimmed(tmp_path, *names):
    """What trim-packages.sh and renew_records.py leave of packages that are installed here."""
    folder = tmp_path / "lib/python3/site-packages"
    for name in names:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files:
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(distribution.locate_file(file), target)
    tests = folder / f"{names[0].lower()}/tests"
    tests.mkdir()
    (tests / "test_lexers.py").write_text("")
    with next(folder.glob(f"{names[0].lower()}-*/RECORD")).open("a") as record:
        record.write(
            f"{names[0].lower()}/tests/test_lexers.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
        )
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["sh", str(ROOT / "docker/trim-packages.sh"), str(folder)], env=environment, check=True)
    subprocess.run([sys.executable, str(ROOT / "docker/renew_records.py"), str(folder)], check=True)
    return folder


SHOW_A_TRACEBACK = """
import io, sys
sys.path.insert(0, sys.argv[1])
import pygments
from rich.console import Console
from rich.syntax import Syntax
from rich.traceback import Traceback
assert pygments.__file__.startswith(sys.argv[1])
shown = Console(file=io.StringIO(), force_terminal=True)
try:
    exec(compile(open(sys.argv[2]).read(), sys.argv[2], "exec"))
except ValueError:
    shown.print(Traceback())
assert "\\x1b[" in shown.file.getvalue().split("raise", 1)[1].split("\\n")[0]
for language in ("yaml", "json", "no-such-language"):
    shown.print(Syntax("a: 1", language))
"""


def test_trimmed_packages_show_tracebacks_and_their_lists_are_true(tmp_path):
    folder = trimmed(tmp_path, "Pygments", "rich")
    faulty = tmp_path / "faulty.py"
    faulty.write_text("if True:\n    raise ValueError('no frames')\n")
    subprocess.run([sys.executable, "-I", "-c", SHOW_A_TRACEBACK, str(folder), str(faulty)], check=True)
    assert sum(f.stat().st_size for f in folder.glob("pygments/**/*.py")) < 1_000_000
    [record] = folder.glob("pygments-*/RECORD")
    rows = list(csv.reader(record.read_text().splitlines()))
    assert not [row[0] for row in rows if not (folder / row[0]).exists()]
    for name, hashed, size in rows:
        if hashed:
            content = (folder / name).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (f"sha256={digest}", len(content)) == (hashed, int(size)), name


def test_the_images_are_built_with_what_their_packages_need_and_no_more():
    """`pip check` looks at the trimmed packages in the build, and nothing that they name brings pydantic."""
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    assert dockerfile.count("pip --python /opt/telecine/bin/python check") == 2
    needed = closure("telecine-services[encoder,collector,sinks,http]")
    assert {"telecine", "grpcio", "av", "duckdb", "uvicorn", "typer", "pygments"} <= needed
    assert not {"pydantic", "pydantic-core", "textual", "pip", "setuptools"} & needed


def closure(wanted):
    """The names of all that a requirement brings here, itself with it."""
    found, waiting = set(), [Requirement(wanted)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        for line in importlib.metadata.requires(name) or ():
            needed = Requirement(line)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name, _ in found}
