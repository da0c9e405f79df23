"""What a caller asks for stands in the contract's spec, in full, or is refused by name."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction

import pytest
from telecine.clients.plan import plan_job
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions import InvalidFramesError, InvalidRequestError
from telecine.request.frame_layout import FrameLayout
from telecine.request.job_spec import PIXEL_FORMAT_NUMBERS, JobOptions, deadline_after, job_spec
from telecine.request.options import (
    AlphaMode,
    Color,
    OddSizePolicy,
    Output,
    PixelFormat,
    Quality,
    Scale,
    as_outputs,
)
from telecine.request.overlays import TextOverlay
from telecine.request.sound import Sound
from telecine.results.values import JobState, OutputState

from encoder_service.spec.spec import PixelFormat as ServicePixelFormat

LAYOUT = FrameLayout(64, 48, PixelFormat.RGB24)


def spec_of(**arguments: object) -> pb.JobSpec:
    options = {"fps": Fraction(24000, 1001), "outputs": as_outputs("mp4"), **arguments}
    return job_spec(JobOptions(**options), LAYOUT)


def test_every_option_of_an_output_arrives() -> None:
    output = Output(
        "webm", name="n", codec="av1", quality="draft", crf=7.5, preset="4", options={"row-mt": "1"},
        scale=Scale(320, 0, "stretch"), loop_count=3, alpha="keep", background="#010203", fps=29.97,
        pixel_format="yuv444p10le", color=Color(primaries="bt2020", transfer="smpte2084", matrix="bt2020nc",
        range="pc"), strict=True, prefix="p", frame_index=-1, columns=4, rows=2,
        overlays=[TextOverlay("t")], max_duration_seconds=1.5, bit_rate="2M", file_name="clip",
        sound=Sound(volume=0.5, bit_rate="64k", fade_in_seconds=1.5, loudness=-14),
    )  # fmt: skip
    sent = spec_of(outputs=(output,)).outputs[0]
    renamed = {"fps": "frame_rate", "max_duration_seconds": "max_duration"}
    assert {field.name for field, _ in sent.ListFields()} == {
        renamed.get(field.name, field.name) for field in fields(Output) if field.name != "_"
    }
    assert (sent.frame_rate.numerator, sent.frame_rate.denominator) == (30000, 1001)
    assert (sent.scale.width, sent.scale.mode) == (320, pb.SCALE_MODE_STRETCH)
    assert (sent.quality, sent.alpha) == (pb.QUALITY_DRAFT, pb.ALPHA_MODE_KEEP)
    assert (sent.overlays[0].text.text, sent.max_duration.ToMilliseconds()) == ("t", 1500)
    assert sent.bit_rate == 2_000_000
    assert (sent.sound.volume, sent.sound.bit_rate, sent.sound.fade_in.ToMilliseconds()) == (
        0.5,
        64_000,
        1500,
    )
    assert (sent.sound.loudness.target_lufs, sent.sound.loudness.true_peak_dbtp) == (-14, -1)
    assert sent.color == pb.Color(primaries=4, transfer=4, matrix=5, range=2)


def test_every_option_of_a_job_arrives() -> None:
    sent = spec_of(
        job_id="j", color=Color(range="tv"), odd_size="crop", metadata={"prompt": "ü", "seed": 7, "a": [1]},
        priority=-5, deadline_unix_nano=1_500_000_000_000_000_000, expected_frames=9, strict=True,
    )  # fmt: skip
    assert dict(sent.metadata) == {"prompt": "ü", "seed": "7", "a": "[1]"}
    assert sent.deadline.ToNanoseconds() == 1_500_000_000_000_000_000
    assert (sent.job_id, sent.priority, sent.strict) == ("j", -5, True)
    video = sent.video
    assert (video.width, video.height, video.pixel_format) == (64, 48, pb.PIXEL_FORMAT_RGB24)
    assert (video.odd_size_policy, video.expected_frames) == (pb.ODD_SIZE_POLICY_CROP, 9)
    assert sent.delivery == pb.DELIVERY_REFERENCES


def test_ids_are_fresh_and_deadlines_lie_ahead() -> None:
    assert spec_of().job_id != spec_of().job_id
    assert deadline_after(None) == 0
    assert deadline_after(60) > deadline_after(1) > 10**18


def without_prefix(enum: object, prefix: str) -> set[str]:
    return {name.removeprefix(prefix) for name, _ in enum.items()} - {"UNSPECIFIED"}


def test_the_names_are_those_of_the_contract_and_the_service() -> None:
    assert {e.name for e in PixelFormat} == without_prefix(pb.PixelFormat, "PIXEL_FORMAT_")
    assert (
        {e.value for e in PixelFormat} == {e.value for e in ServicePixelFormat} == set(PIXEL_FORMAT_NUMBERS)
    )
    for entry in PixelFormat:
        assert PIXEL_FORMAT_NUMBERS[entry] == pb.PixelFormat.Value(f"PIXEL_FORMAT_{entry.name}")
    assert {e.name for e in Quality} == without_prefix(pb.Quality, "QUALITY_")
    assert {e.name for e in OddSizePolicy} == without_prefix(pb.OddSizePolicy, "ODD_SIZE_POLICY_")
    assert {e.name for e in AlphaMode} - {"AUTO"} == without_prefix(pb.AlphaMode, "ALPHA_MODE_")
    assert {e.name for e in JobState} == without_prefix(pb.JobState, "JOB_STATE_")
    assert {e.name for e in OutputState} == without_prefix(pb.OutputState, "OUTPUT_STATE_")


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize(("width", "height"), [(64, 48), (65, 47), (1, 1)])
def test_a_frame_has_as_many_bytes_here_as_there(pixel_format: PixelFormat, width: int, height: int) -> None:
    there = ServicePixelFormat(pixel_format.value).frame_bytes(width, height)
    assert FrameLayout(width, height, pixel_format).frame_bytes == there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": ()}, r"outputs is \(\); expected at least one"),
        ({"outputs": [7]}, r"outputs\[0\] is 7; expected a format name"),
        ({"outputs": Output("mp4", quality="best")}, r"outputs\[0\].quality is 'best'; expected one of"),
        ({"outputs": Output("mp4", alpha="no")}, r"outputs\[0\].alpha"),
        ({"outputs": Output("mp4", scale=Scale(mode="x"))}, r"outputs\[0\].scale.mode"),
        ({"outputs": Output("mp4", fps=0)}, r"outputs\[0\].fps is 0"),
        (
            {"outputs": Output("mp4", color=Color(range="full"))},
            "color.range is 'full'; expected one of 'tv'",
        ),
        ({"odd_size": "shrink"}, "odd_size is 'shrink'"),
        ({"fps": "x"}, "fps is 'x'"),
        ({"fps": "1/9999999999"}, "32-bit"),
        ({"convert_to": "yuv420p", "color": Color(matrix="bt709")}, "leave color.matrix"),
        ({"convert_to": "yuv420p", "color": Color(primaries="bt2020")}, "BT.2020"),
    ],
)
def test_what_is_wrong_is_named_before_the_first_frame(arguments: dict, message: str) -> None:
    asked = {"fps": 8, "outputs": "mp4", **arguments}
    with pytest.raises(InvalidRequestError, match=message):
        plan_job(asked.pop("fps"), asked.pop("outputs"), asked)


def test_a_wrong_layout_is_named_too() -> None:
    with pytest.raises(InvalidFramesError, match="layout is 'x'"):
        plan_job(8, "mp4", {"layout": "x"})


def test_converted_frames_are_declared_as_what_they_are() -> None:
    color = plan_job(8, "mp4", {"convert_to": "yuv420p"}).spec(LAYOUT).video.color
    assert color == pb.Color(
        primaries=pb.COLOR_PRIMARIES_BT709,
        transfer=pb.COLOR_TRANSFER_IEC61966_2_1,
        matrix=pb.COLOR_MATRIX_BT709,
        range=pb.COLOR_RANGE_LIMITED,
    )
