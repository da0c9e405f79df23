"""The stage manifest: written and read again it is the same, and it is of one family with the encoder's."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from telecine.stages import PipelineRun, Stage, StageManifestError, read_manifest
from telecine.stages.manifest import RESERVED, InputFile, StageStatus, decode_manifest, encode_manifest

from docs.tools.schemas import STAGE_MANIFEST_PATH, manifest_schema, stage_manifest_schema
from encoder_service.evidence import manifest as encoder_manifest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OWN = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name not in RESERVED[InputFile]), JSON, max_size=4
)
SAME_WORDS = [
    "job_id", "stage", "stage_number", "timestamp", "status", "duration_seconds", "completed_at", "inputs",
    "outputs", "intermediate_files", "config", "resources", "errors", "warnings", "metadata",
]  # fmt: skip


@pytest.fixture
def full(job_dir: Path) -> Path:
    """The manifest of a stage that has something of everything."""
    with PipelineRun(job_dir), pytest.raises(RuntimeError):
        _fail(job_dir)
    with Stage("asr", job_dir, config={"model": {"name": "v3", "sizes": [1, 2]}}) as stage:
        path = stage.output_path("a.txt")
        path.write_text("a")
        stage.track_input(path, "audio", format="wav", channels=1)
        stage.track_output(path, "text", lines=3, note=None)
        stage.track_intermediate(stage.directory, retained=True, reason="all of it")
        stage.add_resources(memory_mb=12.5)
        stage.add_cost("api", 0.5, "EUR", quantity=3, unit="calls")
        stage.add_warning("odd")
        stage.add_error("bad", ValueError("no"))
    return stage.manifest_path


def _fail(job_dir: Path) -> None:
    with Stage("asr", job_dir):
        raise RuntimeError


def test_a_manifest_is_read_as_it_was_written(full: Path) -> None:
    manifest = read_manifest(full)
    assert manifest.inputs[0].metadata == {"format": "wav", "channels": 1}
    assert manifest.resources.metadata == {"memory_mb": 12.5}
    assert encode_manifest(manifest) == full.read_bytes()


def test_every_manifest_fits_the_published_schema(full: Path) -> None:
    schema = json.loads(stage_manifest_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    tree = json.loads(full.read_text())
    validator.validate(tree)
    for wrong in ({"status": "done"}, {"inputs": [{}]}, {"stage_number": "1"}):
        assert list(validator.iter_errors(tree | wrong)), wrong


def test_the_published_schema_is_fresh_and_explains_its_fields() -> None:
    assert STAGE_MANIFEST_PATH.read_text(encoding="utf-8") == stage_manifest_schema(), (
        "run: make docs-reference"
    )
    schema = json.loads(stage_manifest_schema())
    assert schema["$defs"]["IntermediateFile"]["properties"]["retained"]["description"]
    assert schema["$defs"]["Process"]["properties"]["start_ticks"]["description"]


def test_stages_and_encoder_use_the_same_words_for_the_same_things() -> None:
    ours, theirs = json.loads(stage_manifest_schema()), json.loads(manifest_schema())
    assert set(SAME_WORDS) <= ours["properties"].keys() & theirs["properties"].keys()
    assert [s.value for s in StageStatus] == [s.value for s in encoder_manifest.StageStatus]
    shared = {
        "InputFile": ("Input", {"type", "path", "size_bytes"}),
        "OutputFile": ("Output", {"type", "path", "size_bytes", "sha256"}),
        "IntermediateFile": ("IntermediateFile", {"type", "path", "retained", "reason", "size_bytes"}),
        "StageResources": ("JobResources", {"cpu_seconds", "peak_rss_bytes"}),
        "ErrorEntry": (
            "ErrorEntry",
            {"timestamp", "message", "code", "exception_type", "exception_detail"},
        ),
        "WarningLine": ("WarningLine", {"timestamp", "message", "code"}),
        "Build": ("Build", {"telecine", "python", "platform"}),
    }
    for our_name, (their_name, fields) in shared.items():
        our_fields, their_fields = (
            schema["$defs"][name]["properties"] for schema, name in ((ours, our_name), (theirs, their_name))
        )
        assert fields <= our_fields.keys() & their_fields.keys(), our_name
        for field in fields:
            assert _types(our_fields[field]) <= _types(their_fields[field]), (our_name, field)


def _types(field: dict) -> set[str]:
    choices = field.get("anyOf", [field])
    return {choice.get("type", choice.get("$ref", "")) for choice in choices}


@given(OWN)
def test_metadata_of_any_kind_comes_back(own: dict) -> None:
    entry = InputFile(type="x", path="p", size_bytes=1, sha256=None, metadata=own)
    made = replace(_minimal(), inputs=(entry,))
    assert decode_manifest(encode_manifest(made)).inputs == (entry,)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_manifest_is_reported_as_such(data: bytes) -> None:
    with pytest.raises(StageManifestError):
        decode_manifest(data)


def test_a_field_that_a_later_version_adds_is_passed_over(full: Path) -> None:
    tree = json.loads(full.read_text()) | {"new": 1}
    tree["process"]["color"] = "blue"
    assert decode_manifest(json.dumps(tree).encode()) == read_manifest(full)


def _minimal():
    return decode_manifest(
        json.dumps(
            {
                "schema": "urn:telecine:stage-manifest:1",
                "job_id": "j", "stage": "s", "stage_number": 1, "attempt": 1,
                "timestamp": "2026-01-01T00:00:00Z", "status": "success", "duration_seconds": 1.5,
                "updated_at": "2026-01-01T00:00:02Z", "completed_at": None, "inputs": [], "outputs": [],
                "intermediate_files": [], "config": {}, "resources": {}, "cost": {}, "errors": [],
                "warnings": [], "metadata": {}, "earlier_attempts": [],
                "process": {"hostname": "h", "boot_id": "", "pid_namespace": 0, "pid": 1, "start_ticks": 0},
                "build": {"telecine": "", "python": "", "platform": ""},
            }
        ).encode()
    )  # fmt: skip
