"""Old log files lose their secrets, and a dry run only tells of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard
from telecine.logging.redaction import Redactor
from telecine.logging.redaction.files import redact_file

MASK = b"***redacted***"
CONTENT = (
    b'{"msg":"fine","job_id":"4111111111111111"}\n'
    b'{"msg":"login","password":"hunter2"}\r\n'
    b"2025-11-11 22:30:45 - api - INFO - api_key=hunter2hunter2 used\n"
    b"-----BEGIN RSA PRIVATE " + b"KEY-----\n"
    b"bW9yZSBzZWNyZXQ=\n"
    b"-----END RSA PRIVATE " + b"KEY-----\n"
    b"\xff\xfe not text\n"
    b"no line end"
)
CLEANED = (
    CONTENT.replace(b'"hunter2"', b'"' + MASK + b'"')
    .replace(b"hunter2hunter2", MASK)
    .replace(b"bW9yZSBzZWNyZXQ=", MASK)
)


def packed(suffix: str, data: bytes) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data)
    if suffix == ".zst":
        half = len(data) // 2
        return b"".join(zstandard.ZstdCompressor().compress(part) for part in (data[:half], data[half:]))
    return data


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data


@pytest.mark.parametrize("suffix", [".log", ".gz", ".zst"])
def test_a_dry_run_reports_and_touches_nothing_and_a_real_one_replaces(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(suffix, CONTENT))
    before = path.read_bytes()
    report = redact_file(path, Redactor())
    assert path.read_bytes() == before
    assert report.counts == {"password": 1, "api_key": 1, "private_key": 1}
    assert [finding.line_number for finding in report.findings] == [2, 3, 5]
    assert "hunter2" not in str(report)
    assert report.lines == 8
    redact_file(path, Redactor(), is_dry_run=False)
    assert unpacked(path) == CLEANED
    assert redact_file(path, Redactor()).lines_with_findings in (0, 1)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_damaged_compression_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zst"
    path.write_bytes(b"not zstd at all")
    with pytest.raises(ValueError, match="damaged"):
        redact_file(path, Redactor())
