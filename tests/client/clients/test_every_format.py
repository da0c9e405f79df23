"""Every row of the format table goes the whole way: a new row without its reader cannot pass."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import telecine
from telecine.clients.embedded import EmbeddedServer
from telecine.clients.plan import JobArguments

from encoder_service.spec.audio.codecs import SOUND_FORMATS
from encoder_service.spec.formats import FORMATS, FormatRow
from encoder_service.worker.verification.inspection import READERS, STILLS
from encoder_service.worker.verification.verify import verify

FRAMES = np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), dtype=np.uint8)
ROWS = pytest.mark.parametrize("row", FORMATS.values(), ids=lambda row: row.name)


def sound_for(row: FormatRow) -> JobArguments:
    """Noise as long as the frames, for every format that can hold sound."""
    if row.name not in SOUND_FORMATS:
        return {}
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 24_000)).astype(np.float32)
    return {"audio": telecine.Audio(noise, 48_000, "stereo")}


@ROWS
def test_the_format_has_a_reader_of_its_own(row: FormatRow) -> None:
    assert row.name in READERS or (row.name in STILLS and row.extension in READERS), (
        f"say in inspection.READERS how `telecine verify` reads {row.name}"
    )


@ROWS
def test_the_format_is_available_here(row: FormatRow, encoder: EmbeddedServer) -> None:
    with telecine.Client(encoder.address) as client:
        formats = {found.format: found for found in client.capabilities().formats}
    found = formats[row.name]
    assert any(entry.is_available for entry in found.encoders if entry.codec == row.default_codec)
    assert (found.media_type, found.file_extension) == (row.media_type, row.extension)


@ROWS
def test_the_format_is_saved_as_a_generation_that_verifies(
    row: FormatRow, encoder: EmbeddedServer, tmp_path: Path
) -> None:
    saved = telecine.save_generation(
        FRAMES, {"seed": 1}, [row.name], 12, base_dir=tmp_path, server=encoder.address, **sound_for(row)
    )
    assert saved.skipped == {}
    assert saved[row.name]
    assert all(path.stat().st_size for path in saved[row.name])
    verification = verify(saved.directory)
    assert verification.findings == ()
    assert verification.files_checked >= len(saved[row.name])
    (output,) = json.loads(saved.manifest_path.read_bytes())["outputs"]
    assert (output["type"], output["format"]) == (row.kind, row.name)


@ROWS
def test_every_codec_of_the_format_is_made_verified_and_downloaded(
    row: FormatRow, encoder: EmbeddedServer, tmp_path: Path
) -> None:
    with telecine.Client(encoder.address) as client:
        formats = {found.format: found for found in client.capabilities().formats}
        working = {entry.codec for entry in formats[row.name].encoders if entry.is_available}
        outputs = [
            telecine.Output(row.name, name=codec, codec=codec) for codec in row.codecs if codec in working
        ]
        result = client.encode(FRAMES, fps=12, outputs=outputs, **sound_for(row))
        job_id = result.job_id
        assert {artifact.output for artifact in result.artifacts} == {output.name for output in outputs}
        for artifact in result.artifacts:
            assert artifact.media_type
            fetched = client.download(job_id, artifact.path, tmp_path / artifact.output)
            assert fetched.local_path is not None
            data = fetched.local_path.read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (artifact.size_bytes, artifact.sha256)
        manifest = json.loads(client.manifest(job_id))
    assert [output["status"] for output in manifest["outputs"]] == ["success"] * len(outputs)
