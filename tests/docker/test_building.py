"""What builds the images, without an engine: the scripts, and a bill of what is installed here."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

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
