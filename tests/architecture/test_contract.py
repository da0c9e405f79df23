"""Every rpc of the contracts is served by a service and reached by the SDK."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, modules, tree_of

CONTRACTS = {
    "telecine.encoder.v1.encoder_pb2": "encoder_service",
    "telecine.logs.v1.log_collector_service_pb2": "log_collector",
}

METHODS = [
    (service.full_name, method.name, package)
    for module, package in CONTRACTS.items()
    for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
IDS = [f"{service.rpartition('.')[2]}.{method}" for service, method, _ in METHODS]


@pytest.mark.parametrize(("service", "method", "package"), METHODS, ids=IDS)
def test_every_rpc_is_served(service, method, package):
    names = {
        node.name
        for path in modules(package)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }
    assert method in names


@pytest.mark.parametrize(("service", "method", "package"), METHODS, ids=IDS)
def test_every_rpc_has_a_counterpart_in_the_sdk(service, method, package):
    uses = {
        text
        for path in modules("client/telecine")
        for node in ast.walk(tree_of(path))
        for text in [node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", None)]
        if isinstance(text, str)
    }
    assert any(use == method or use.endswith(f"/{method}") for use in uses)


@pytest.mark.parametrize("path", sorted((ROOT / "protos").rglob("*.proto")), ids=lambda path: path.name)
def test_every_rpc_says_what_can_go_wrong(path):
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"((?:^ *//.*\n)+) *rpc (\w+)", text, re.MULTILINE):
        assert "Errors:" in match[1], f"{match[2]} does not list its errors"
    rpcs = re.findall(r"^ *rpc (\w+)", text, re.MULTILINE)
    documented = re.findall(r"(?:^ *//.*\n)+ *rpc (\w+)", text, re.MULTILINE)
    assert rpcs == documented


@pytest.mark.parametrize("path", sorted((ROOT / "protos").rglob("*.proto")), ids=lambda path: path.name)
def test_zero_of_every_enum_means_nothing_was_said(path):
    text = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    for name, body in re.findall(r"enum (\w+) \{([^}]*)\}", text):
        zero = re.search(r"(\w+) = 0;", body)
        assert zero, name
        assert zero[1].endswith("_UNSPECIFIED"), f"{name}: {zero[1]}"


BREAKS = {
    "a field is removed": (
        "  // The job was known before this stream.\n  bool is_resumed = 6;\n",
        "",
        "is_resumed",
    ),
    "a field gets another number": ("bool is_resumed = 6;", "bool is_resumed = 66;", "is_resumed"),
    "a field gets another type": ("int64 max_job_bytes = 4;", "string max_job_bytes = 4;", "max_job_bytes"),
}


def compared(protos: Path) -> subprocess.CompletedProcess[str]:
    """What `make check` runs, with other protos."""
    assert "buf breaking --against protos/baseline.binpb" in (ROOT / "Makefile").read_text()
    buf = Path(sys.executable).with_name("buf")
    command = [buf, "breaking", protos, "--against", ROOT / "protos" / "baseline.binpb"]
    config = json.dumps({"version": "v2", "breaking": {"use": ["FILE"]}})
    return subprocess.run([*command, "--config", config], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("break_", BREAKS)
def test_what_breaks_the_last_release_is_refused(break_, tmp_path):
    old, new, named = BREAKS[break_]
    protos = shutil.copytree(ROOT / "protos", tmp_path / "protos")
    assert compared(protos).returncode == 0
    contract = protos / "telecine" / "encoder" / "v1" / "encoder.proto"
    text = contract.read_text()
    assert text.count(old) == 1
    contract.write_text(text.replace(old, new))
    found = compared(protos)
    assert found.returncode != 0
    assert named in found.stdout
