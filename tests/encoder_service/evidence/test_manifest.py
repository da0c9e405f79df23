"""A manifest is read as it was written, and one of another kind is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoder_service.evidence.building import JobEvidence, build_manifest
from encoder_service.evidence.manifest import (
    Build,
    JobOutcome,
    ManifestError,
    decode_manifest,
    encode_manifest,
    read_manifest,
)
from encoder_service.spec.spec import JobSpec, PixelFormat, Rational, VideoSpec

MANIFEST = build_manifest(
    JobEvidence(
        spec=JobSpec("a", VideoSpec(2, 2, PixelFormat.GRAY8, Rational(1)), ()),
        outcome=JobOutcome.SUCCEEDED,
        created_at_unix_nano=0,
        received_at_unix_nano=0,
        ended_at_unix_nano=0,
        bytes_received=0,
        input_hash_hex="",
        spool_path="",
        outputs=(),
        build=Build(telecine="0", python="0", platform="0", libraries={}),
    )
)


def test_what_is_encoded_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(encode_manifest(MANIFEST))
    assert read_manifest(tmp_path / "manifest.json") == MANIFEST
    assert encode_manifest(MANIFEST).endswith(b"}\n")


def test_fields_of_a_later_version_are_ignored() -> None:
    data = json.loads(encode_manifest(MANIFEST))
    data["something_new"] = {"deep": [1, 2]}
    assert decode_manifest(json.dumps(data).encode()) == MANIFEST


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"job_id": 1}', b"\xff\xfe"])
def test_what_is_no_manifest_is_refused_with_one_error(data: bytes) -> None:
    with pytest.raises(ManifestError, match="not a manifest"):
        decode_manifest(data)


def test_a_manifest_of_another_meaning_is_refused_by_name() -> None:
    data = encode_manifest(MANIFEST).replace(b"urn:telecine:manifest:1", b"urn:telecine:manifest:2")
    with pytest.raises(ManifestError, match="manifest:2"):
        decode_manifest(data)
