"""Overlays, sizes and bit rates as the SDK sends them, and what it refuses before anything is sent."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import telecine
from PIL import Image
from telecine import ImageOverlay, Output, Position, Scale, ScaleMode, TextOverlay, exceptions
from telecine.clients.embedded import EmbeddedServer
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.request.frame_layout import FrameLayout
from telecine.request.job_spec import JobOptions, job_spec
from telecine.request.options import PixelFormat
from telecine.request.overlay_messages import length

LAYOUT = FrameLayout(64, 48, PixelFormat.RGB24)


def sent(*outputs: Output) -> pb.JobSpec:
    return job_spec(JobOptions(fps=Fraction(24), outputs=outputs), LAYOUT)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, pb.Length(pixels=12)),
        ("12px", pb.Length(pixels=12)),
        ("-3", pb.Length(pixels=-3)),
        (0.05, pb.Length(fraction=0.05)),
        ("5%", pb.Length(fraction=0.05)),
        (1.0, pb.Length(fraction=1.0)),
        (0, pb.Length(pixels=0)),
        (None, None),
    ],
)
def test_whole_numbers_are_pixels_and_fractions_are_fractions(value: Any, expected: pb.Length | None) -> None:
    assert length(value, "x") == expected


@pytest.mark.parametrize("value", [12.5, float("nan"), True, "wide", "", "120%", "5 %px"])
def test_lengths_that_may_mean_either_are_refused(value: Any) -> None:
    with pytest.raises(exceptions.InvalidRequestError, match="whole pixels"):
        length(value, "outputs[0].overlays[0].x")


def test_every_position_has_its_number() -> None:
    names = {
        position: sent(Output("mp4", overlays=[TextOverlay("a", position=position)])).outputs[0].overlays[0]
        for position in Position
    }
    for position, overlay in names.items():
        assert pb.Position.Name(overlay.position) == f"POSITION_{position.name}"


def test_an_image_is_read_once_and_sent_once(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    image = Image.new("RGBA", (4, 4), (1, 2, 3, 255))
    image.save(path, "PNG")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    overlays = [ImageOverlay(path, width="10%"), ImageOverlay(str(path)), ImageOverlay(path.read_bytes())]
    message = sent(Output("mp4", overlays=overlays), Output("webp", overlays=[ImageOverlay(image)]))
    first, second, third = (overlay.image for overlay in message.outputs[0].overlays)
    assert (first.image, first.width.fraction) == (path.read_bytes(), pytest.approx(0.1))
    assert second.image_sha256 == third.image_sha256 == digest
    assert message.outputs[1].overlays[0].image.image_sha256 == digest


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("1080p", pb.Scale(size="1080p")),
        ("9:16", pb.Scale(aspect_ratio="9:16")),
        ((640, 0), pb.Scale(width=640)),
        (Scale(size="4k", mode="fill"), pb.Scale(size="4k", mode=pb.SCALE_MODE_FILL)),
        (Scale(aspect_ratio="1:1", mode=ScaleMode.PAD, pad_color="#ffffff"),
         pb.Scale(aspect_ratio="1:1", mode=pb.SCALE_MODE_PAD, pad_color="#ffffff")),
    ],
)  # fmt: skip
def test_a_scale_may_be_a_size_a_name_or_a_shape(scale: Any, expected: pb.Scale) -> None:
    assert sent(Output("mp4", scale=scale)).outputs[0].scale == expected


@pytest.mark.parametrize(
    ("given", "expected"), [(0, 0), (1500, 1500), ("800k", 800_000), ("2.5M", 2_500_000), ("1G", 10**9)]
)
def test_bit_rates_count_in_thousands(given: int | str, expected: int) -> None:
    assert sent(Output("mp4", bit_rate=given)).outputs[0].bit_rate == expected


@pytest.mark.parametrize(
    "output",
    [
        Output("mp4", bit_rate="fast"),
        Output("mp4", max_duration_seconds=-1),
        Output("mp4", overlays=["text"]),  # type: ignore[list-item]
        Output("mp4", overlays=[ImageOverlay("no/such/file.png")]),
        Output("mp4", overlays=[ImageOverlay(3)]),  # type: ignore[arg-type]
        Output("mp4", overlays=[TextOverlay("a", position="middle")]),
        Output("mp4", overlays=[TextOverlay("a", start_seconds=float("nan"))]),
        Output("mp4", scale=Scale(size="720p", mode="squeeze")),
    ],
)
def test_what_is_wrong_is_reported_before_anything_is_sent(output: Output) -> None:
    with pytest.raises(exceptions.InvalidRequestError, match=r"outputs\[0\]"):
        sent(output)


def test_a_clip_with_overlays_comes_back_with_the_proof(encoder: EmbeddedServer) -> None:
    frames = np.full((4, 48, 64, 3), 60, np.uint8)
    text = TextOverlay("{seed}", size=20, position="center", font="sans-bold")
    with telecine.Client(encoder.address) as client:
        output = Output("png", overlays=[text], scale="1:1", max_duration_seconds=0.1)
        result = client.encode(frames, fps=24, outputs=[output], metadata={"seed": 4711})
        known = client.capabilities()
    made = result.manifest["outputs"][0]
    assert made["overlays"][0]["text"] == "4711"
    assert (made["readback"]["width"], made["readback"]["height"]) == (64, 64)
    assert made["frames"]["encoded"] == 2
    assert [warning.code for warning in result.warnings] == ["DURATION_CUT"]
    assert known.fonts[:2] == ("sans", "sans-bold")
    assert known.limits.max_overlays_per_output == 16
    with (
        telecine.Client(encoder.address) as client,
        pytest.raises(exceptions.InvalidRequestError, match="known fields are frame, time, job_id"),
    ):
        client.encode(frames, fps=24, outputs=[output])
