"""Every argument of a wrong type or out of range is refused by its name, before anything is connected."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from telecine.clients.plan import JobArguments, plan_job
from telecine.clients.settings import settings_of
from telecine.exceptions import InvalidFramesError, InvalidRequestError
from telecine.request.options import Color, KeepAlive, Output, Scale, Tls, Webhook
from telecine.request.overlays import ImageOverlay, TextOverlay
from telecine.request.sound import Loudness, Sound
from telecine.sound.audio import Audio

WRONG_OUTPUTS: dict[str, list[object]] = {
    "format": [7],
    "name": [None, 4],
    "codec": [None],
    "quality": [3, None, []],
    "crf": ["20", True, float("nan"), float("inf"), 1e9, [20]],
    "preset": [4],
    "options": [None, "tune=film", ["tune"], {"tune": None}, {"tune": ["film"]}, {1: "x"}, {"a": "\ud83d"}],
    "scale": [0.5, (1, "2"), (1,), (1, 2.5), Scale("640", 480), Scale(-1, 2), Scale(size=720), Scale(mode=3)],
    "loop_count": [-1, 1.5, "2", 2**40],
    "alpha": [None, 2],
    "background": [0xFF0000, None],
    "fps": ["x", 0, -1, 1001, float("nan"), True, [24], "1e99999999", "1/0", b"24"],
    "pixel_format": [None, 1],
    "color": ["bt709", Color(matrix=2), Color(range="full"), {"matrix": "bt709"}],
    "strict": ["yes", 1, None],
    "prefix": [None],
    "file_name": [5, None],
    "frame_index": ["0", 1.0, 2**50],
    "columns": [-1, "3"],
    "rows": [2**40],
    "overlays": [
        TextOverlay("x"), "text", [7], [TextOverlay(5)], [TextOverlay("x", opacity="1")],
        [TextOverlay("x", opacity=2)], [TextOverlay("x", size=[1])], [TextOverlay("x", start_seconds="1")],
        [TextOverlay("x", color=0)], [ImageOverlay(7)], [ImageOverlay("/no/such/file.png")],
    ],
    "max_duration_seconds": ["1", -1, float("inf"), 1e9],
    "bit_rate": ["fast", -1, float("nan"), 1e15, "99999999999G", None],
    "sound": [7, "loud", Sound(volume=-1), Sound(volume=11), Sound(volume=float("nan")), Sound(enabled=2),
              Sound(bit_rate="2M"), Sound(bit_rate=-1), Sound(sample_rate="48k"), Sound(codec=5),
              Sound(fade_in_seconds=-1), Sound(fade_out_seconds=1e9), Sound(loudness="loud"),
              Sound(loudness=0), Sound(loudness=Loudness(-14, 3))],
}  # fmt: skip

WRONG_ARGUMENTS: dict[str, list[object]] = {
    "job_id": [42, "../x", "a b", "x" * 200, "-x"],
    "width": ["16", 0, -1, 20000, 1.5, True],
    "height": ["16", 0],
    "pixel_format": [7, "rgb"],
    "layout": [5, "XYZ", []],
    "out_of_range": [True, "wrap"],
    "convert_to": ["rgb24", 4],
    "color": ["bt709", Color(primaries=1)],
    "odd_size": [2, "shrink"],
    "metadata": ["prompt", [("a", 1)], 5],
    "priority": ["1", 101, -101, 0.5],
    "deadline_seconds": ["5", -1, float("nan"), float("inf")],
    "expected_frames": ["5", -1, 2**60],
    "strict": ["no", 0],
    "skip_unavailable": ["no"],
    "webhooks": ["https://x", 5, [5], [Webhook(5)], [Webhook("https://x", events="job.ended")],
                 [Webhook("https://x", events=["job.begun"])]],
    "audio": [7, "/nowhere.wav", b"RIFF", np.zeros((2, 9)), Audio(None, 48_000, "stereo"), {"waveform": 1}],
    "on_progress": ["print", 7],
}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in fields(Output) if field.name != "_"])
def test_a_wrong_field_of_an_output_is_named(field: str) -> None:
    for value in WRONG_OUTPUTS[field]:
        arguments: dict[str, Any] = {"format": "mp4", field: value}
        with pytest.raises(InvalidRequestError, match=rf"outputs\[1\]\.{field}") as caught:
            plan_job(24, ["mp4", Output(arguments.pop("format"), **arguments)], {})
        assert caught.value.faults[0].field.startswith(f"outputs[1].{field}"), value


@pytest.mark.parametrize("name", list(JobArguments.__annotations__))
def test_a_wrong_argument_of_a_job_is_named(name: str) -> None:
    for value in WRONG_ARGUMENTS[name]:
        with pytest.raises((InvalidRequestError, InvalidFramesError), match=name):
            plan_job(24, "mp4", {name: value})


@pytest.mark.parametrize("name", list(JobArguments.__annotations__))
def test_none_is_the_same_as_left_out(name: str) -> None:
    given = plan_job(24, "mp4", {name: None})
    assert given.options.outputs == plan_job(24, "mp4", {}).options.outputs


def test_numbers_of_numpy_are_numbers() -> None:
    output = Output(
        "mp4", crf=np.float32(20), loop_count=np.int16(3), scale=(np.int64(64), np.uint8(48)),
        frame_index=np.int64(-1), strict=np.bool_(True), options={"bf": np.int64(2), "8x8dct": True},
        overlays=[TextOverlay("x", opacity=np.float32(0.5), size=np.int32(12), start_seconds=np.float64(1))],
    )  # fmt: skip
    plan = plan_job(np.float32(23.976), output, {"priority": np.int8(5), "width": np.int64(16)})
    spec = plan.spec(layout=plan.reader.layout or _layout())
    sent = spec.outputs[0]
    assert (sent.crf, sent.loop_count, sent.scale.width, sent.strict) == (20, 3, 64, True)
    assert dict(sent.options) == {"bf": "2", "8x8dct": "1"}
    assert (spec.video.frame_rate.numerator, spec.priority) == (24000, 5)


def _layout() -> Any:
    from telecine.request.frame_layout import FrameLayout
    from telecine.request.options import PixelFormat

    return FrameLayout(16, 16, PixelFormat.RGB24)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server", 5),
        ("tls", "ca.pem"),
        ("tls", Tls(ca_file=7)),
        ("keep_alive", 20),
        ("keep_alive", KeepAlive(interval_seconds="20")),
        ("retry", 3),
        ("retained_bytes", "1GiB"),
        ("retained_bytes", 0),
        ("call_timeout_seconds", "5"),
        ("shares_memory", "no"),
    ],
)
def test_a_wrong_argument_of_a_client_is_named(name: str, value: object) -> None:
    arguments = {"server": "localhost:1", "tls": None, "keep_alive": None, "retry": None, name: value}
    rest = {
        key: arguments.pop(key, None) for key in ("retained_bytes", "call_timeout_seconds", "shares_memory")
    }
    with pytest.raises(InvalidRequestError, match=name):
        settings_of(
            **arguments, retained_bytes=rest["retained_bytes"], shares_memory=rest["shares_memory"],
            call_timeout_seconds=rest["call_timeout_seconds"],
        )  # fmt: skip
