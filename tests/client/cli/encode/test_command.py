"""`telecine encode` turns every kind of source into checked files; its exit code says how it went."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from telecine.cli.app import run
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import telecine


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 64x48 in which a square moves."""
    frames = np.full((12, 48, 64, 3), 30, np.uint8)
    for index, frame in enumerate(frames):
        frame[10:30, 2 * index : 2 * index + 20] = (200, 60, 20)
    path = tmp_path_factory.mktemp("clip") / "clip.npy"
    np.save(path, frames)
    return path


def test_an_array_becomes_the_asked_files_and_a_manifest(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    ran = telecine(
        "encode", clip, "--fps", "23.976", "-o", "mp4", "-o", "webp:quality=draft", "-d", tmp_path,
        "--meta", "prompt=a red square", "--json", "--server", encoder.address,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.out
    assert ran.err == "", "a program sees no progress"
    document = ran.document
    assert document["state"] == "succeeded"
    assert document["frames"] == 12
    assert 0 < document["hand_off_seconds"] <= document["total_seconds"]
    assert {artifact["output"] for artifact in document["artifacts"]} == {"mp4", "webp"}
    for artifact in document["artifacts"]:
        content = Path(artifact["local_path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == artifact["sha256"]
        assert artifact["frame_count"] == 12
    mp4 = next(artifact for artifact in document["artifacts"] if artifact["output"] == "mp4")
    assert (mp4["frame_rate"], mp4["color"]) == ("24000/1001", "bt709 tv")
    manifest = json.loads(Path(document["manifest"]).read_text())
    assert manifest["metadata"] == {"prompt": "a red square"}


def test_a_video_file_keeps_its_own_rate_and_pixels(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    master, copy = tmp_path / "master", tmp_path / "copy"
    first = telecine(
        "encode", clip, "--fps", "12.5", "-o", "mkv", "-d", master, "--json", server=encoder.address
    )
    assert first.exit_code == 0, first.out
    ran = telecine("encode", master / "mkv.mkv", "-o", "mkv", "-d", copy, "--json", server=encoder.address)
    assert ran.exit_code == 0, ran.out
    (artifact,) = ran.document["artifacts"]
    assert (artifact["frame_rate"], artifact["frame_count"]) == ("25/2", 12)
    assert artifact["mean_absolute_error"] == 0


def test_a_folder_of_images_and_raw_frames_from_a_pipe(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    frames = np.load(clip)
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / f"frame_{index}.png")
    folder = telecine(
        "encode", tmp_path, "--fps", "24", "-o", "mkv", "-d", tmp_path / "a", "--json", server=encoder.address
    )
    pipe = telecine(
        "encode", "-", "--size", "64x48", "--pix-fmt", "rgb24", "--fps", "24", "-o", "mkv",
        "-d", tmp_path / "b", "--json", stdin=frames.tobytes(), server=encoder.address,
    )  # fmt: skip
    assert (folder.exit_code, pipe.exit_code) == (0, 0), folder.out + pipe.out
    assert folder.document["artifacts"][0]["sha256"] == pipe.document["artifacts"][0]["sha256"]


def test_repeating_a_job_id_attaches_to_the_job_and_another_spec_is_refused(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    again = ("encode", clip, "--fps", "24", "--job-id", "cli-again", "-d", tmp_path, "--json")
    first = telecine(*again, "-o", "mp4", server=encoder.address)
    second = telecine(*again, "-o", "mp4", server=encoder.address)
    assert first.document["artifacts"] == second.document["artifacts"]
    other = telecine(*again, "-o", "webp", server=encoder.address)
    assert other.exit_code == 4
    assert other.document["error"]["code"] == "JOB_SPEC_CONFLICT"


def test_an_output_that_fails_leaves_the_others_and_exit_code_1(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    ran = telecine(
        "encode", clip, "--fps", "24", "-o", "webp", "-o", "webm:options.maxrate=2M", "-d", tmp_path,
        "--json", server=encoder.address,
    )  # fmt: skip
    assert ran.exit_code == 1
    assert ran.document["state"] == "partially_succeeded"
    assert [output["name"] for output in ran.document["problems"]] == ["webm"]
    assert (tmp_path / "webp.webp").is_file()


def test_without_a_server_it_brings_its_own(clip: Path, tmp_path: Path) -> None:
    ran = telecine("encode", clip, "--fps", "24", "-d", tmp_path)
    assert ran.exit_code == 0, ran.err
    assert list(tmp_path.glob("*.mp4"))
    assert "handed off" in ran.err
    assert (tmp_path / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.mp4"], "nothing.mp4 does not exist"),
        (["CLIP"], "states no frame rate"),
        (["CLIP", "--fps", "fast"], "fps is 'fast'"),
        (["CLIP", "--fps", "24", "-o", "mp4:crf=low"], "crf is 'low'"),
        (["CLIP", "--fps", "24", "--odd-size", "melt"], "--odd-size is 'melt'"),
        (["-", "--fps", "24"], "raw frames"),
        (["-", "--fps", "24", "--size", "64x48"], "--pix-fmt"),
        (["CLIP", "--no-such-flag"], "--no-such-flag"),
        ([], "SOURCE"),
    ],
)
def test_wrong_usage_is_one_clear_block_and_exit_code_2(
    clip: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = run(["encode", *[str(clip) if part == "CLIP" else part for part in arguments]])
    shown = capsys.readouterr()
    assert exit_code == 2, shown.err
    assert message in shown.err
    assert shown.out == ""
    assert "To do:" in shown.err


def test_what_the_server_refuses_is_exit_code_2_and_names_the_field(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    ran = telecine(
        "encode", clip, "--fps", "24", "-o", "mp5", "-d", tmp_path, "--json", server=encoder.address
    )
    assert ran.exit_code == 2
    assert "outputs[0].format" in ran.document["error"]["message"]


def test_a_server_that_is_not_there_is_exit_code_3(clip: Path, tmp_path: Path) -> None:
    ran = telecine("encode", clip, "--fps", "24", "-d", tmp_path, "--server", "127.0.0.1:9", "--json")
    assert ran.exit_code == 3
    assert ran.document["error"]["exit_code"] == 3
    assert ran.document["error"]["advice"]


def test_a_cut_video_file_is_refused_unless_what_is_left_of_it_is_asked_for(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    master = tmp_path / "master"
    made = telecine(
        "encode", clip, "--fps", "12.5", "-o", "mkv", "-d", master, "--json", server=encoder.address
    )
    data = (master / "mkv.mkv").read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 2 // 3])
    refused = telecine("encode", cut, "-o", "mp4", "-d", tmp_path / "no", "--json", server=encoder.address)
    assert refused.exit_code == 2
    assert refused.document["error"]["code"] == "SOURCE"
    assert "is damaged" in refused.document["error"]["message"]
    assert "--allow-damaged" in refused.document["error"]["advice"]
    assert not (tmp_path / "no").exists()
    taken = telecine(
        "encode",
        cut,
        "-o",
        "mp4",
        "-d",
        tmp_path / "yes",
        "--allow-damaged",
        "--json",
        server=encoder.address,
    )
    assert (made.exit_code, taken.exit_code) == (0, 0)
    assert 0 < taken.document["frames"] < 12
    assert [warning["code"] for warning in taken.document["warnings"]] == ["SOURCE_DAMAGED"]
    assert f"{taken.document['frames']} frames were taken" in taken.document["warnings"][0]["message"]


def test_a_file_that_breaks_half_way_leaves_no_artifacts(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    made = ("-o", "mkv:codec=h264", "-d", tmp_path)
    telecine("encode", clip, "--fps", "24", *made, server=encoder.address)
    data = bytearray((tmp_path / "mkv.mkv").read_bytes())
    at = data.rindex(b"\xa3")  # the last frame's block
    data[at + 12 :] = bytes(len(data) - at - 12)
    (tmp_path / "broken.mkv").write_bytes(data)
    asked = ("-o", "mp4", "-d", tmp_path / "no", "--json")
    ran = telecine("encode", tmp_path / "broken.mkv", *asked, server=encoder.address)
    assert ran.exit_code == 2
    assert "is damaged" in ran.document["error"]["message"]
    assert not (tmp_path / "no").exists()


def test_a_file_is_written_by_its_name_and_verified_by_it(
    clip: Path, tmp_path: Path, encoder: EmbeddedServer
) -> None:
    to = tmp_path / "fox.webm"
    command = ("encode", clip, "--fps", "12", "--server", encoder.address, "--json")
    ran = telecine(*command, "--to", to)
    assert ran.exit_code == 0, ran.out
    assert ran.document["artifacts"][0]["local_path"] == str(to)
    assert ran.document["manifest"] == f"{to}.manifest.json"
    assert ran.document["directory"] == str(tmp_path)
    assert telecine("verify", to, "--json").exit_code == 0
    for wrong in (["-o", "mp4"], ["-o", "webm", "-o", "gif"], ["-d", tmp_path]):
        assert telecine(*command, "--to", to, *wrong).exit_code == 2
