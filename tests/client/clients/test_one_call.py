"""`save_generation`: one directory with everything, and what cannot be made is told, not a failure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import telecine
from PIL import Image
from telecine import exceptions
from telecine.clients.embedded import EmbeddedServer

from encoder_service.worker.verification.verify import verify

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
FRAMES = np.random.default_rng(0).integers(0, 255, (6, 32, 48, 3), dtype=np.uint8)


def test_everything_lies_in_a_directory_named_after_the_time(tmp_path: Path, encoder: EmbeddedServer) -> None:
    saved = telecine.save_generation(
        FRAMES,
        {"prompt": "a fox", "seed": 42},
        ["png", "webp", "mp4", "webm"],
        30,
        base_dir=tmp_path,
        prefix="fox",
        server=encoder.address,
        now=NOW,
    )
    assert saved.directory == tmp_path / "20260304_050607"
    assert sorted(saved.files) == ["mp4", "png", "webm", "webp"]
    assert [path.name for path in saved["png"]] == [f"fox_{index:05d}.png" for index in range(6)]
    assert saved["mp4"] == (saved.directory / "fox_video.mp4",)
    listed = {path for paths in saved.files.values() for path in paths} | {saved.manifest_path}
    assert {path for path in saved.directory.rglob("*") if path.is_file()} == listed
    with Image.open(saved["png"][3]) as image:
        assert np.array_equal(np.asarray(image), FRAMES[3])
    manifest = json.loads(saved.manifest_path.read_bytes())
    assert manifest["metadata"] == {"prompt": "a fox", "seed": "42"}
    assert saved.skipped == {}
    assert verify(saved.directory).findings == ()
    assert verify(saved.directory).files_checked == 9


def test_formats_that_nobody_knows_are_skipped_with_a_warning_in_the_manifest(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    saved = telecine.save_generation(
        FRAMES, None, ["gif", "av2", "holo"], base_dir=tmp_path, server=encoder.address
    )
    assert list(saved.files) == ["gif"]
    assert sorted(saved.skipped) == ["av2", "holo"]
    assert "unknown" in saved.skipped["av2"]
    warnings = json.loads(saved.manifest_path.read_bytes())["warnings"]
    assert [(entry["code"], entry["output"]) for entry in warnings] == [
        ("OUTPUT_SKIPPED", "av2"),
        ("OUTPUT_SKIPPED", "holo"),
    ]


def test_when_nothing_is_left_it_is_an_error_and_no_directory_stays(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    with pytest.raises(exceptions.InvalidRequestError, match="none of their formats"):
        telecine.save_generation(FRAMES, None, "av2", base_dir=tmp_path, server=encoder.address)
    assert list(tmp_path.iterdir()) == []


def test_no_base_that_was_made_stays_without_a_clip(tmp_path: Path, encoder: EmbeddedServer) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for base in (tmp_path / "new" / "deep", there / "new"):
        with pytest.raises(exceptions.InvalidRequestError):
            telecine.save_generation(FRAMES, None, "holo", base_dir=base, server=encoder.address)
    with pytest.raises(exceptions.InvalidRequestError):
        telecine.save_generation(FRAMES, None, "gif", -1, base_dir=there, server=encoder.address)
    assert list(tmp_path.iterdir()) == [there]
    assert not list(there.iterdir())


def test_two_clips_of_the_same_second_do_not_meet(tmp_path: Path, encoder: EmbeddedServer) -> None:
    saved = [
        telecine.save_generation(
            FRAMES[:2], {}, "poster", base_dir=tmp_path, server=encoder.address, now=NOW
        ).directory.name
        for _ in range(2)
    ]
    assert saved == ["20260304_050607", "20260304_050607_2"]


def test_an_output_may_say_more_than_its_format(tmp_path: Path, encoder: EmbeddedServer) -> None:
    master = telecine.Output("mkv", codec="ffv1", name="master")
    sequences = [telecine.Output("png", name=name, prefix=name) for name in ("one", "two")]
    saved = telecine.save_generation(
        FRAMES,
        {},
        ["mp4", master, *sequences],
        base_dir=tmp_path,
        bit_rate="200k",
        server=encoder.address,
    )
    encoders = {output["name"]: output["encoder"] for output in saved.result.manifest["outputs"]}
    assert encoders["mp4"]["options"]["b"] == "200000"
    assert encoders["master"]["encoder"] == "ffv1"
    assert len(saved["png"]) == 12
    assert all(path.is_file() for path in saved["png"])
    assert verify(saved.directory).is_sound


def test_an_embedded_server_keeps_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECINE_SERVER", raising=False)
    saved = telecine.save_generation(FRAMES, {}, ["poster"], base_dir=tmp_path)
    assert saved["poster"][0].is_file()
    with telecine.Client() as client:
        assert list(client.jobs(prefix=saved.result.job_id)) == []


def test_an_output_that_fails_leaves_the_others_in_place(tmp_path: Path, encoder: EmbeddedServer) -> None:
    wrong = telecine.Output("webm", options={"maxrate": "2M"})
    with pytest.raises(exceptions.JobIncompleteError):
        telecine.save_generation(
            FRAMES, {}, ["mp4", "png", wrong], base_dir=tmp_path, server=encoder.address, now=NOW
        )
    directory = tmp_path / "20260304_050607"
    assert {path.name for path in directory.iterdir()} == {"video.mp4", "frames", "manifest.json"}
    assert len(list((directory / "frames").iterdir())) == 6


async def test_asyncio_saves_the_same_files(tmp_path: Path, encoder: EmbeddedServer) -> None:
    saved = [
        telecine.save_generation(
            FRAMES, {"seed": 1}, ["png", "gif"], base_dir=tmp_path / "a", server=encoder.address, now=NOW
        ),
        await telecine.save_generation_async(
            FRAMES, {"seed": 1}, ["png", "gif"], base_dir=tmp_path / "b", server=encoder.address, now=NOW
        ),
    ]
    blocking, asynchronous = (
        {
            path.relative_to(each.directory): path.read_bytes()
            for path in each.directory.rglob("*.*")
            if path.is_file()
        }
        for each in saved
    )
    assert blocking.keys() == asynchronous.keys()
    assert len(blocking) == len(FRAMES) + 2
    assert all(blocking[path] == asynchronous[path] for path in blocking if path.suffix != ".json")
    with pytest.raises(exceptions.InvalidRequestError):
        await telecine.save_generation_async(
            FRAMES, None, "holo", base_dir=tmp_path / "c", server=encoder.address
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
