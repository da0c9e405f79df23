"""`telecine encode` takes the sound of a video file over, or that of --audio, in step with the pictures."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.results.values import JobState

from tests.client.cli.terminal_command import Ran, telecine

RATE = 48_000
FPS = 25


def click(seconds: float, at: float) -> npt.NDArray[np.int16]:
    """Silence with one millisecond of noise at a time."""
    samples = np.zeros((1, round(seconds * RATE)), np.int16)
    begin = round(at * RATE)
    samples[0, begin : begin + 48] = 20_000
    return samples


def clip(
    path: Path,
    *,
    flash: int = 10,
    pictures_from: float = 0.0,
    sound_from: float = 0.0,
    sound_seconds: float = 1.0,
    tracks: int = 1,
    codec: str = "pcm_s16le",
) -> Path:
    """25 dark pictures with one white one, and a click at the very time of it."""
    flash_at = pictures_from + flash / FPS
    with av.open(str(path), "w") as container:
        film = container.add_stream("png", rate=FPS)
        film.width, film.height, film.pix_fmt = 64, 48, "rgb24"
        sounds = [container.add_stream(codec, rate=RATE, layout="mono") for _ in range(tracks)]
        for number in range(FPS):
            value = 255 if number == flash else 16
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, np.uint8))
            frame.pts, frame.time_base = round(pictures_from * FPS) + number, Fraction(1, FPS)
            container.mux(film.encode(frame))
        for sound in sounds:
            samples = av.AudioFrame.from_ndarray(
                click(sound_seconds, flash_at - sound_from), "s16p" if codec == "alac" else "s16", "mono"
            )
            samples.sample_rate, samples.time_base = RATE, Fraction(1, RATE)
            samples.pts = round(sound_from * RATE)
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
        container.mux(film.encode())
    return path


def flash_and_click(path: Path) -> tuple[float, float]:
    """When the white picture is shown and the click is heard, and that nothing begins below 0."""
    with av.open(str(path)) as container:
        flash = next(
            frame.time for frame in container.decode(video=0) if frame.to_ndarray(format="gray").mean() > 120
        )
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(float).reshape(-1)) > loudest(frame))
            if len(loud):
                return flash, frame.time + loud[0] / frame.sample_rate
    raise AssertionError("no click")


def loudest(frame: av.AudioFrame) -> float:
    return 0.2 if frame.format.name.startswith("flt") else 6_000.0


def codes(ran: Ran) -> list[str]:
    assert ran.exit_code == 0, ran.out + ran.err
    return [warning["code"] for warning in ran.document["warnings"]]


@pytest.mark.parametrize(
    ("times", "warnings"),
    [
        ({}, []),
        ({"sound_from": 0.2, "sound_seconds": 0.5}, ["AUDIO_PADDED"] * 2),
        ({"pictures_from": 0.4}, ["SOURCE_SOUND_CHANGED", *["AUDIO_PADDED"] * 2]),
        ({"sound_seconds": 1.5, "tracks": 3}, ["SOURCE_SOUND_DROPPED", "SOURCE_SOUND_CHANGED"]),
    ],
)
def test_the_click_stays_with_the_flash(
    tmp_path: Path, encoder: EmbeddedServer, times: dict[str, Any], warnings: list[str]
) -> None:
    source = clip(tmp_path / "clip.mov", **times)
    out = tmp_path / "out"
    ran = telecine("encode", source, "-o", "mp4", "-o", "webm", "-d", out, "--json", server=encoder.address)
    assert codes(ran) == warnings
    for name, bound in (("mp4.mp4", 0.001), ("webm.webm", 0.02)):
        flash, heard = flash_and_click(out / name)
        assert flash == pytest.approx(0.4, abs=0.001)
        assert heard == pytest.approx(flash, abs=bound)
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert (manifest["audio"]["sample_rate"], manifest["audio"]["layout"]) == (RATE, "mono")
    assert [warning["code"] for warning in manifest["warnings"]] == warnings


def test_sound_is_left_out_or_replaced_on_request(tmp_path: Path, encoder: EmbeddedServer) -> None:
    source, other = clip(tmp_path / "clip.mov"), clip(tmp_path / "other.mov", flash=20)
    silent = tmp_path / "silent"
    ran = telecine("encode", source, "--no-audio", "-d", silent, "--json", server=encoder.address)
    assert codes(ran) == []
    with av.open(str(silent / "mp4.mp4")) as made:
        assert not made.streams.audio
    replaced = tmp_path / "replaced"
    ran = telecine("encode", source, "--audio", other, "-d", replaced, "--json", server=encoder.address)
    assert codes(ran) == []
    assert flash_and_click(replaced / "mp4.mp4") == pytest.approx((0.4, 0.8), abs=0.001)


def test_images_get_the_sound_of_a_file(tmp_path: Path, encoder: EmbeddedServer) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(10):
        Image.new("L", (64, 48), 255 if number == 5 else 0).save(frames / f"{number}.png")
    sound = clip(tmp_path / "clip.mov", flash=5, codec="alac")
    out = tmp_path / "out"
    ran = telecine(
        "encode", frames, "--fps", "25", "--audio", sound, "-o", "mov", "-o", "gif", "-d", out, "--json",
        server=encoder.address,
    )  # fmt: skip
    assert sorted(codes(ran)) == ["AUDIO_DROPPED", "SOURCE_SOUND_CHANGED"]
    assert flash_and_click(out / "mov.mov") == pytest.approx((0.2, 0.2), abs=0.001)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--audio", "missing.wav"], "missing.wav is no file"),
        (["--audio", "text.wav"], "text.wav"),
        (["--audio", "silent.mov"], "has no sound"),
        (["--audio", "cut.wav"], "is damaged"),
        (["--audio", "text.wav", "--no-audio"], "contradict"),
    ],
)
def test_sound_that_cannot_be_taken_is_one_clear_error(
    tmp_path: Path, encoder: EmbeddedServer, arguments: list[str], words: str
) -> None:
    source = clip(tmp_path / "clip.mov")
    (tmp_path / "text.wav").write_text("no sound at all")
    clip(tmp_path / "silent.mov", tracks=0)
    with av.open(str(tmp_path / "cut.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        samples = av.AudioFrame.from_ndarray(click(1, 0.5), "s16", "mono")
        samples.sample_rate = RATE
        container.mux(stream.encode(samples))
    data = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[:30_001])
    ran = telecine("encode", source, *arguments, "-d", "out", "--json", server=encoder.address, cwd=tmp_path)
    assert ran.exit_code == 2
    assert words in ran.document["error"]["message"]
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_refused_on_the_way_leaves_no_job_waiting(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    source, sound = clip(tmp_path / "clip.mov"), tmp_path / "nan.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.full((1, 480), np.nan, np.float32), "flt", "mono")
        samples.sample_rate = RATE
        container.mux(stream.encode(samples))
    made = ("--job-id", "with-nan", "-d", tmp_path / "out", "--json")
    ran = telecine("encode", source, "--audio", sound, *made, server=encoder.address)
    assert ran.exit_code == 2
    assert "sample 0 of channel 0 of the sound is NaN" in ran.document["error"]["message"]
    with Client(encoder.address) as client:
        assert client.get_job("with-nan").state == JobState.CANCELLED
