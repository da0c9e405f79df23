"""What raw frames cannot carry of a video file is said, and with --strict refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from telecine.cli.encode.sources import open_source
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
    return source.losses


def test_a_plain_clip_loses_nothing_whatever_its_containers_clock_rounds_to(tmp_path: Path) -> None:
    assert losses_of(film(tmp_path / "even.mkv")) == []
    at_24 = tuple(round(n * 1000 / 24) for n in range(24))
    assert losses_of(film(tmp_path / "rounded.mkv", at_24, clock=1000)) == []


@pytest.mark.parametrize("times", [(0, 1, 2, 5, 8), (0, 3, 4, 5), (0, 1, 2, 4)])
def test_uneven_times_are_said(tmp_path: Path, times: tuple[int, ...]) -> None:
    (loss,) = losses_of(film(tmp_path / "uneven.mkv", times))
    assert "variable frame rate" in loss


def test_pixels_that_are_not_square_are_said_with_the_size_that_players_show(tmp_path: Path) -> None:
    (loss,) = losses_of(film(tmp_path / "wide.mkv", aspect=Fraction(4, 3)))
    assert "(4:3)" in loss
    assert "scale=43x24" in loss


def test_the_command_warns_of_what_it_leaves_out_and_refuses_it_when_strict(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    clip = film(tmp_path / "sound.mkv", has_sound=True)
    ran = telecine("encode", clip, "-d", tmp_path / "out", "--json", server=encoder.address)
    assert ran.exit_code == 0
    assert [w["code"] for w in ran.document["warnings"]] == ["SOURCE_SIMPLIFIED"]
    assert "sound" in ran.document["warnings"][0]["message"]
    for name, times, has_sound in (("s", (0, 1, 2), True), ("t", (0, 1, 4), False)):
        clip = film(tmp_path / f"{name}.mkv", times, has_sound=has_sound)
        made = tmp_path / name
        strict = telecine("encode", clip, "--strict", "-d", made, "--json", server=encoder.address)
        assert strict.exit_code == 2
        assert strict.document["error"]["code"] == "SOURCE"
        assert not made.exists()
