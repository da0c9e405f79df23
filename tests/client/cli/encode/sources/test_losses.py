"""What frames do not carry of a source is a coded warning, and with --strict refused."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from telecine.cli.encode.sources import open_source
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer

from tests.client.cli.terminal_command import telecine


def film(
    path: Path,
    times: tuple[int, ...] = (0, 1, 2, 3),
    *,
    aspect: Fraction = Fraction(1),
    has_sound: bool = False,
    clock: int = 10,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if aspect == 1 else "libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        stream.time_base = stream.codec_context.time_base = Fraction(1, clock)
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono") if has_sound else None
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 50, np.uint8))
            frame.pts, frame.time_base = time, Fraction(1, clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            samples.sample_rate, samples.pts = 8000, 0
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
    return path


def losses_of(path: Path) -> list[str]:
    source = open_source(str(path))
    assert sum(1 for _ in source.frames) >= 2
    return [warning.message for warning in source.losses]


def test_a_plain_clip_loses_nothing_whatever_its_containers_clock_rounds_to(tmp_path: Path) -> None:
    assert losses_of(film(tmp_path / "even.mkv")) == []
    at_24 = tuple(round(n * 1000 / 24) for n in range(24))
    assert losses_of(film(tmp_path / "rounded.mkv", at_24, clock=1000)) == []


def test_the_command_warns_of_what_it_leaves_out_and_refuses_it_when_strict(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    clip = film(tmp_path / "sound.mkv", (0, 1, 2, 5), has_sound=True)
    ran = telecine("encode", clip, "-d", tmp_path / "out", "--json", server=encoder.address)
    assert ran.exit_code == 0
    assert [w["code"] for w in ran.document["warnings"]] == ["SOURCE_TIMING_CHANGED", "AUDIO_PADDED"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert [w["code"] for w in manifest["warnings"]] == ["SOURCE_TIMING_CHANGED", "AUDIO_PADDED"]
    for name, times in (("s", (0, 1, 3)), ("t", (0, 1, 4))):
        clip = film(tmp_path / f"{name}.mkv", times)
        made = tmp_path / name
        strict = telecine("encode", clip, "--strict", "-d", made, "--json", server=encoder.address)
        assert strict.exit_code == 2
        assert strict.document["error"]["code"] == "SOURCE"
        assert not made.exists()


def test_streams_and_chapters_that_are_left_out_are_said(tmp_path: Path) -> None:
    path = tmp_path / "full.mkv"
    with av.open(str(path), "w") as container:
        films = [container.add_stream("ffv1", rate=10) for _ in range(2)]
        for stream in films:
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        container.set_chapters(
            [{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {"title": "a"}}]
        )
        container.add_attachment("font.ttf", "application/x-font", b"x")
        for stream in films:
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8))))
            container.mux(stream.encode())
    chapters, streams = losses_of(path)
    assert "1 chapters" in chapters
    assert "1 video stream, 1 attachment" in streams


def test_alpha_of_vp9_is_kept(tmp_path: Path, encoder: EmbeddedServer) -> None:
    frames = np.full((5, 32, 32, 4), 200, np.uint8)
    frames[:, :16, :, 3] = 0
    with Client(encoder.address) as client:
        client.encode(frames, fps=5, outputs="webm", to=tmp_path)
    source = open_source(str(tmp_path / "webm.webm"))
    assert source.pixel_format == "rgba"
    taken = np.frombuffer(b"".join(source.frames), np.uint8).reshape(5, 32, 32, 4)
    assert taken[:, :14, :, 3].max() < 10
    assert abs(taken[:, 18:, :, 3].astype(int) - 200).max() < 6
    assert source.losses == []


def animated(path: Path, durations: object = 100, kind: str | None = None) -> Path:
    pictures = [Image.new("RGB", (32, 24), (20 * n, 0, 0)) for n in range(10)]
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:], duration=durations)
    return path


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("name", ["loop.png", "loop.webp", "loop.gif", "loop.jpg", "loop"])
def test_an_animated_image_is_a_clip_whatever_it_is_called(tmp_path: Path, kind: str, name: str) -> None:
    source = open_source(str(animated(tmp_path / name, kind=kind)))
    assert sum(1 for _ in source.frames) == 10
    assert source.frame_rate == 10
    assert source.losses == []


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_a_pause_at_its_end_is_kept_and_said(tmp_path: Path, kind: str) -> None:
    (loss,) = losses_of(animated(tmp_path / "loop", [100] * 9 + [900], kind))
    assert "10 pictures became 18 frames at 10 fps" in loss


def test_an_animation_among_images_is_one_frame_and_that_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png")
    animated(tmp_path / "b.webp")
    (loss,) = losses_of(tmp_path)
    assert "b.webp holds 10 pictures" in loss
