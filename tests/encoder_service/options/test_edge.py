"""A stream with an option that is not on the list ends before a frame is taken, and names the field."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.evidence.facts import Failed, Produced
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.wire.job_spec import parse_spec
from encoder_service.wire.limits import WireLimits
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker_driver import WorkerDriver


def refused(output: pb.OutputSpec, config: WireLimits | None = None) -> dict[str, str]:
    """Field, without the output's place, to what is wrong with it."""
    try:
        parse_spec(raw.spec("job", output), config or EncoderConfig().wire_limits)
    except ServiceError as error:
        return {entry.field.removeprefix("spec.outputs[0]."): entry.description for entry in error.violations}
    return {}


def output(codec: str = "", **options: str) -> pb.OutputSpec:
    """An MP4; "_" in an option's name means "-"."""
    return pb.OutputSpec(
        format="mp4", codec=codec, options={name.replace("_", "-"): value for name, value in options.items()}
    )


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (output(x264_params="dump-yuv=/tmp/x"), "options['x264-params'].dump-yuv"),
        (output("hevc", x265_params="csv=/tmp/x"), "options['x265-params'].csv"),
        (output(passlogfile="/tmp/x"), "options['passlogfile']"),
        (pb.OutputSpec(format="mp4", preset="placebo"), "preset"),
        (pb.OutputSpec(format="mp4", codec="av1", preset="-1"), "preset"),
        (pb.OutputSpec(format="mp4", crf=52), "crf"),
        (pb.OutputSpec(format="mp4", crf=float("nan")), "crf"),
        (pb.OutputSpec(format="mov", crf=3), "crf"),
        (pb.OutputSpec(format="webp", preset="7"), "preset"),
        (pb.OutputSpec(format="webp", crf=float("inf")), "crf"),
        (pb.OutputSpec(format="gif", preset="1"), "preset"),
        (pb.OutputSpec(format="poster", options={"dct": "x"}), "options['dct']"),
        *(
            (pb.OutputSpec(format="mp4", codec=codec, pixel_format=name), "pixel_format")
            for codec in ("h264", "hevc", "av1")
            for name in ("vaapi", "cuda", "qsv", "drm_prime", "vulkan", "nonsense", "../x", "\0")
        ),
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_refused_by_its_field(message: pb.OutputSpec, field: str) -> None:
    assert list(refused(message)) == [field]


def test_one_encoder_of_the_codec_must_take_all_of_it() -> None:
    assert not refused(output("av1", aom_params="row-mt=1"))
    assert not refused(output("av1", svtav1_params="tune=0"))
    assert refused(output("av1", aom_params="row-mt=1", svtav1_params="tune=0"))
    assert not refused(pb.OutputSpec(format="mp4", codec="h264", pixel_format="rgb24"))
    assert not refused(pb.OutputSpec(format="mp4", codec="h264", preset="p4", options={"rc": "vbr"}))
    assert refused(pb.OutputSpec(format="mp4", codec="h264", preset="p4", options={"tune": "film"}))
    assert refused(pb.OutputSpec(format="mp4", options={f"option{n}": "1" for n in range(65)}))


def test_the_faults_are_those_of_the_encoder_that_was_meant() -> None:
    found = refused(output("hevc", x265_params="pass=1:stats=/tmp/x:csv=/tmp/y"))
    assert list(found) == [f"options['x265-params'].{key}" for key in ("pass", "stats", "csv")]


def test_the_operator_widens_it_and_the_client_does_not() -> None:
    config = EncoderConfig(allowed_encoder_options={"libx264": ("x264-params.zones",)}).wire_limits
    assert not refused(output(x264_params="zones=0,4,q=20"), config)
    assert refused(output(x264_params="zones=0,4,q=20"))
    assert refused(output(x264_params="zones=0,4,q=20:stats=/tmp/x"), config)


async def test_a_server_refuses_before_it_takes_a_frame_and_writes_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    target = tmp_path / "written"
    lists = {
        "h264": ("x264-params=dump-yuv={}", "x264-params=pass=1:stats={}", "x264opts=stats={}", "stats={}"),
        "hevc": ("x265-params=csv={}", "x265-params=analysis-save={}", "x265-stats={}"),
        "av1": ("svtav1-params=stats={}", "svtav1-params=hierarchical-levels=2147483647"),
    }
    for codec, texts in lists.items():
        for text in texts:
            name, _, value = text.format(target).partition("=")
            wrong = pb.OutputSpec(format="mp4", codec=codec, options={name: value})
            async with (
                grpc.aio.insecure_channel(server.address) as channel,
                raw.RawClient(channel).stream() as stream,
            ):
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await stream.open(raw.spec("wrong", wrong))
            assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert raw.fields(failed.value)[0].startswith(f"spec.outputs[0].options['{name}']")
            assert "there are" in (failed.value.details() or "") or "expected" in (
                failed.value.details() or ""
            )
    assert not target.exists()
    assert not list(server.data_dir.glob("jobs/*wrong*"))


@pytest.mark.parametrize("options", [{"x264-params": "dump-yuv={}"}, {"stats": "{}", "flags": "+pass1"}])
def test_a_worker_refuses_what_an_older_record_still_asks_for(
    tmp_path: Path, options: dict[str, str]
) -> None:
    spool, target = tmp_path / "video.raw", tmp_path / "written"
    spool.write_bytes(gradient_clip(3, 64, 48).tobytes())
    video = VideoSpec(64, 48, PixelFormat.RGB24, Rational(24))
    bad = OutputSpec("clip", "mp4", options={name: text.format(target) for name, text in options.items()})
    good = OutputSpec("clip", "mp4", options={"tune": "film"}, pixel_format="yuv444p")
    with WorkerDriver() as worker:
        answer = worker.produce(video, bad, spool, tmp_path / "bad", 3)
        assert isinstance(answer, Failed)
        assert answer.code == "INVALID_OPTION"
        for name in ("vaapi", "cuda"):
            hardware = OutputSpec("clip", "mp4", pixel_format=name)
            answer = worker.produce(video, hardware, spool, tmp_path / name, 3)
            assert isinstance(answer, Failed)
            assert answer.code == "INVALID_PIXEL_FORMAT"
        assert isinstance(worker.produce(video, good, spool, tmp_path / "good", 3), Produced)
    assert not target.exists()
