"""Downloads end up whole, checked and below their directory, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine import exceptions as errors
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.results.download import Transfer, below, place_manifest, target_of
from telecine.results.part import open_part
from telecine.results.values import Artifact

WHOLE = bytes(range(256)) * 20


def answer(offset: int, data: bytes, whole: bytes | None = WHOLE) -> pb.DownloadArtifactResponse:
    chunk = pb.ArtifactChunk(path="a", offset=offset, data=data, crc32c=google_crc32c.value(data))
    response = pb.DownloadArtifactResponse(chunk=chunk)
    if whole is not None:
        digest = hashlib.sha256(whole).hexdigest()
        response.artifact.CopyFrom(pb.Artifact(path="a", size_bytes=len(whole), sha256=digest))
    return response


@given(st.lists(st.integers(1, 3000), min_size=1))
def test_breaking_off_anywhere_and_going_on_gives_the_whole(steps: list[int]) -> None:
    file = io.BytesIO()
    for step in [*steps, len(WHOLE)]:
        with Transfer("job", "a", file) as transfer:
            start = transfer.request().offset
            transfer.write(answer(start, WHOLE[start : start + step]))
            is_whole = start + step >= len(WHOLE)
            assert not is_whole or transfer.verified().size_bytes == len(WHOLE)
    assert file.getvalue() == WHOLE


def test_what_ends_early_is_worth_another_try() -> None:
    transfer = Transfer("job", "a", io.BytesIO())
    transfer.write(answer(0, WHOLE[:100]))
    with pytest.raises(errors.UnavailableError, match="ended early"):
        transfer.verified()
    assert transfer.request().offset == 100


def test_other_content_is_started_over() -> None:
    file = io.BytesIO(b"left over from another file")
    transfer = Transfer("job", "a", file)
    transfer.write(answer(27, WHOLE[27:]))
    with pytest.raises(errors.ChecksumMismatchError) as caught:
        transfer.verified()
    transfer.after_failure(caught.value)
    assert transfer.request().offset == 0
    transfer.write(answer(0, WHOLE))
    transfer.verified()
    assert file.getvalue() == WHOLE


def test_an_empty_artifact_is_one_too() -> None:
    transfer = Transfer("job", "a", io.BytesIO())
    assert not transfer.write(answer(0, b"", b""))
    assert transfer.verified().size_bytes == 0


def test_damage_and_disorder_are_seen() -> None:
    transfer = Transfer("job", "a", io.BytesIO())
    damaged = answer(0, b"abc")
    damaged.chunk.crc32c += 1
    with pytest.raises(errors.ChunkCorruptedError):
        transfer.write(damaged)
    with pytest.raises(errors.ProtocolError, match="byte 5 of a, not 0"):
        transfer.write(answer(5, b"abc"))
    with pytest.raises(errors.ProtocolError, match="without its header"):
        Transfer("job", "a", io.BytesIO()).verified()


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\..\\x", "c:/x", "."])
def test_no_artifact_leaves_its_directory(path: str, tmp_path: Path) -> None:
    with pytest.raises(errors.ProtocolError):
        below(tmp_path, path)


def test_where_a_download_goes(tmp_path: Path) -> None:
    assert target_of(tmp_path, "frames/f.png") == tmp_path / "frames" / "f.png"
    assert target_of(tmp_path / "new.mp4", "a.mp4") == tmp_path / "new.mp4"
    assert target_of(f"{tmp_path}/later/", "a.mp4") == tmp_path / "later" / "a.mp4"


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.mp4"
    with open_part(target) as part, Transfer("job", "a", part.file) as transfer:
        transfer.write(answer(0, WHOLE))
        found = transfer.verified()
        assert not target.exists()
        assert part.place(found).local_path == target
    assert target.read_bytes() == WHOLE
    place_manifest(tmp_path, b"{}")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.mp4", "deep", "manifest.json"]


def test_a_server_whose_checksum_is_wrong_twice_is_given_up() -> None:
    """A server that is wrong stays so: beginning anew once is enough."""
    transfer = Transfer("job", "a.mp4", io.BytesIO())
    wrong = errors.ChecksumMismatchError("differs")
    transfer.after_failure(wrong)
    with pytest.raises(errors.ChecksumMismatchError):
        transfer.after_failure(wrong)


def test_two_downloads_to_one_target_leave_one_of_the_two_whole(tmp_path: Path) -> None:
    """The later one had gone on in the file that the earlier one had just put in place."""
    target = tmp_path / "a.mp4"
    found = Artifact("a.mp4", "a.mp4", 5, "", "")
    with open_part(target) as first:
        first.file.write(b"first")
        first.file.flush()
        with open_part(target) as second:
            assert second.file.tell() == 0
            second.file.write(b"other")
            first.place(found)
            second.file.flush()
            assert target.read_bytes() == b"first"
            second.place(found)
        with open_part(target), open_part(target) as fails:
            fails.file.write(b"is taken away")
    assert target.read_bytes() == b"other"
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "a.mp4.part"}


@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "pipe"])
def test_what_somebody_planted_where_a_download_goes_is_replaced_never_written_to(
    tmp_path: Path, kind: str
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "to" / "video.mp4"
    target.parent.mkdir()
    victim.write_bytes(b"of another")
    part = target.with_name("video.mp4.part")
    if kind == "pipe":
        os.mkfifo(part)
    elif kind == "hard link":
        part.hardlink_to(victim)
    else:
        part.symlink_to(victim if kind == "link" else tmp_path / "missing")
    with open_part(target) as opened:
        opened.file.write(WHOLE)
        opened.place(Artifact("video.mp4", "video.mp4", len(WHOLE), "", ""))
    assert victim.read_bytes() == b"of another"
    assert not target.is_symlink()
    assert target.read_bytes() == WHOLE
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "to"}


def test_a_manifest_is_written_over_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"of another")
    for name in ("manifest.json", "manifest.json.part", ".manifest.json.tmp"):
        (tmp_path / name).symlink_to(victim)
    place_manifest(tmp_path, b"{}")
    assert victim.read_bytes() == b"of another"
    assert not (tmp_path / "manifest.json").is_symlink()
    assert (tmp_path / "manifest.json").read_bytes() == b"{}"
