"""PNG sequence: every sample of every frame, up to 16 bits, in files and in one zip."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from encoder_service.evidence.facts import ColorTags
from encoder_service.spec.errors import OutputError
from encoder_service.spec.spec import AlphaMode, Color, PixelFormat, Quality
from encoder_service.spec.spec import ColorMatrix as Matrix
from encoder_service.spec.spec import ColorPrimaries as Primaries
from encoder_service.spec.spec import ColorRange as Range
from encoder_service.spec.spec import ColorTransfer as Transfer
from encoder_service.worker.containers.png import read_chunks
from encoder_service.worker.libav.pictures import planes_of
from encoder_service.worker.libav.stills import decode_still
from tests.encoder_service.worker.outputs.drawing import gradient_clip, run_writer

GRAY, DEEP_GRAY = gradient_clip(3, channels=1)[..., 0], gradient_clip(3, channels=1, deep=True)[..., 0]


@pytest.mark.parametrize(
    ("source_format", "clip", "coded"),
    [
        (PixelFormat.GRAY8, GRAY, "gray"),
        (PixelFormat.RGB24, gradient_clip(3, 33, 47), "rgb24"),
        (PixelFormat.RGBA, gradient_clip(3, channels=4), "rgba"),
        (PixelFormat.GRAY16LE, DEEP_GRAY, "gray16be"),
        (PixelFormat.RGB48LE, gradient_clip(3, deep=True), "rgb48be"),
        (PixelFormat.RGBA64LE, gradient_clip(3, channels=4, deep=True), "rgba64be"),
    ],
)
def test_every_sample_of_every_frame_is_kept(
    tmp_path: Path, source_format: PixelFormat, clip: npt.NDArray[np.uint8], coded: str
) -> None:
    clip = clip + np.arange(3, dtype=clip.dtype).reshape(-1, *[1] * (clip.ndim - 1))
    run = run_writer(tmp_path, clip, source_format, format="png", prefix="shot")
    assert run.finished.readback.pixel_format == coded
    for index, frame in enumerate(clip):
        data = (tmp_path / "frames" / f"shot_{index:05d}.png").read_bytes()
        decoded = planes_of(decode_still(data, "png"))[0]
        assert np.array_equal(decoded, frame)
        if clip.dtype == np.uint8:
            with Image.open(BytesIO(data)) as image:
                assert np.array_equal(np.asarray(image), frame)
    assert run.finished.quality is not None
    assert run.finished.quality.max_absolute_error == 0
    assert run.finished.frames_encoded == run.finished.frames_decoded == 3


def test_the_zip_is_the_primary_artifact_and_holds_the_very_files(tmp_path: Path) -> None:
    run = run_writer(tmp_path, gradient_clip(4), format="png")
    assert run.path.name == "clip.zip"
    single = [file for file in run.finished.files if not file.is_primary]
    with zipfile.ZipFile(run.path) as archive:
        assert archive.namelist() == [file.path for file in single]
        assert archive.namelist()[0] == "frames/frame_00000.png"
        for file in single:
            assert archive.read(file.path) == (tmp_path / file.path).read_bytes()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_same_frames_give_the_same_zip(tmp_path: Path) -> None:
    hashes = set()
    for name, threads in (("a", 1), ("b", 3)):
        (tmp_path / name).mkdir()
        run = run_writer(tmp_path / name, gradient_clip(5), threads=threads, format="png")
        hashes.add(run.finished.files[0].sha256)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("color", "chunk", "tags"),
    [
        (
            Color(Primaries.BT709, Transfer.IEC61966_2_1, Matrix.RGB, Range.FULL),
            b"sRGB",
            ColorTags("bt709", "iec61966-2-1", "gbr", "pc"),
        ),
        (
            Color(Primaries.BT2020, Transfer.SMPTE2084, Matrix.RGB, Range.FULL),
            b"cICP",
            ColorTags("bt2020", "smpte2084", "gbr", "pc"),
        ),
        (
            Color(Primaries.SMPTE432, Transfer.IEC61966_2_1, Matrix.RGB, Range.FULL),
            b"cICP",
            ColorTags("smpte432", "iec61966-2-1", "gbr", "pc"),
        ),
    ],
)
def test_colour_is_tagged_and_read_back(tmp_path: Path, color: Color, chunk: bytes, tags: ColorTags) -> None:
    run = run_writer(tmp_path, gradient_clip(1), video={"color": color}, format="png")
    with (tmp_path / "frames" / "frame_00000.png").open("rb") as file:
        assert [tag for tag, _ in read_chunks(file)] == [b"IHDR", chunk, b"IDAT", b"IEND"]
    assert run.finished.readback.color_container == tags
    assert run.warnings == []


def test_limited_range_gray_becomes_full_range(tmp_path: Path) -> None:
    limited = Color(Primaries.BT709, Transfer.BT709, Matrix.BT709, Range.LIMITED)
    clip = np.array([[[16, 235]]], np.uint8)
    run_writer(tmp_path, clip, PixelFormat.GRAY8, video={"color": limited}, format="png")
    with Image.open(tmp_path / "frames" / "frame_00000.png") as image:
        assert np.asarray(image.convert("L")).tolist() == [[0, 255]]


def test_a_chosen_pixel_format_and_flattened_alpha(tmp_path: Path) -> None:
    clip = gradient_clip(1, channels=4)
    clip[..., 3] = 255
    run = run_writer(
        tmp_path,
        clip,
        PixelFormat.RGBA,
        format="png",
        alpha=AlphaMode.FLATTEN,
        pixel_format="rgb48be",
        quality=Quality.DRAFT,
    )
    assert run.finished.readback.pixel_format == "rgb48be"
    assert run.finished.encoder.options == {"compression_level": "1", "pred": "2"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pixel_format": "yuv420p"}, "INVALID_PIXEL_FORMAT"),
        ({"options": {"pred": "best"}}, "INVALID_OPTION"),
        ({"crf": 3.0}, "INVALID_OPTION"),
    ],
)
def test_what_png_cannot_do_is_one_clear_error(tmp_path: Path, changes: dict[str, object], code: str) -> None:
    with pytest.raises(OutputError) as caught:
        run_writer(tmp_path, gradient_clip(1), **({"format": "png"} | changes))
    assert caught.value.code == code
