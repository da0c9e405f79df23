"""Overlays and sizes in finished files: drawn where they belong, in the right colour, in every format."""

from __future__ import annotations

import hashlib
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from encoder_service.spec.errors import OutputError, StrictViolationError
from encoder_service.spec.overlays.overlay import ImageOverlay, Length, Overlay, Position, TextOverlay
from encoder_service.spec.spec import (
    BT709,
    SRGB,
    Color,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    PixelFormat,
    Quality,
    Rational,
    Scale,
    ScaleMode,
)
from encoder_service.worker.libav.pictures import Converter, PictureFormat, planes_of
from encoder_service.worker.writer import DrawingMaterial
from tests.encoder_service.worker.outputs.drawing import Clip, Run, gradient_clip, run_writer

TEN = Rational(10)
ORANGE = (230, 120, 20)
MODES: dict[str, dict[str, Any]] = {
    "mp4": {},
    "webm": {"quality": Quality.DRAFT},
    "mkv": {"codec": "ffv1"},
    "png": {},
    "apng": {},
    "gif": {},
    "webp": {},
    "poster": {"codec": "png"},
    "contact_sheet": {"columns": 2, "rows": 2},
}

Rgb = npt.NDArray[np.uint8]


def gray_clip(frames: int = 6, rows: int = 120, columns: int = 160) -> Clip:
    return np.full((frames, rows, columns, 3), 90, np.uint8)


def picture_file(color: tuple[int, ...], size: tuple[int, int] = (40, 20), **save: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA" if len(color) == 4 else "RGB", size, color).save(buffer, "PNG", **save)
    return buffer.getvalue()


def logo(directory: Path, data: bytes, **fields: Any) -> tuple[Overlay, DrawingMaterial]:
    """An overlay of a picture, and the material that holds it."""
    pictures = directory / "pictures"
    pictures.mkdir(exist_ok=True)
    name = hashlib.sha256(data).hexdigest()
    (pictures / name).write_bytes(data)
    width = fields.pop("width", None)
    position = fields.pop("position", Position.TOP_LEFT)
    margin = fields.pop("margin", Length(8))
    overlay = Overlay(ImageOverlay(name, len(data), width), position, margin=margin, **fields)
    return overlay, DrawingMaterial(pictures=pictures)


def shown(run: Run, frame: int = 0) -> Rgb:
    """A frame of the file as a player shows it."""
    file = next(
        file.path for file in run.finished.files if not file.is_primary or not file.path.endswith("zip")
    )
    path = run.directory / file.replace("00000", f"{frame:05d}")
    if path.suffix in {".mp4", ".webm", ".mkv"}:
        with av.open(str(path)) as container:
            picture = [*container.decode(video=0)][frame]
            color = BT709 if not picture.format.is_rgb else SRGB
            source = PictureFormat(picture.format.name, picture.width, picture.height, color)
            target = PictureFormat("rgb24", picture.width, picture.height)
            return np.array(planes_of(Converter(source, target).convert(picture))[0])
    with Image.open(path) as image:
        if getattr(image, "n_frames", 1) > 1:
            image.seek(frame)
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("format_name", sorted(MODES))
def test_a_watermark_stands_in_every_format_in_its_own_colour(tmp_path: Path, format_name: str) -> None:
    overlay, material = logo(tmp_path, picture_file(ORANGE))
    run = run_writer(
        tmp_path,
        gray_clip(),
        material=material,
        overlays=(overlay,),
        format=format_name,
        **MODES[format_name],
    )
    picture = shown(run).astype(int)
    if format_name == "contact_sheet":
        picture = picture[8:, 8:]  # the gap around the first tile
    tolerance = 12 if format_name in {"webm", "gif", "webp"} else 4
    assert np.abs(picture[12:24, 12:44] - ORANGE).max() <= tolerance
    assert np.abs(picture[40:110, 60:150] - 90).max() <= tolerance
    assert run.warnings == []
    assert [(found.left, found.top, found.width, found.height) for found in run.drawn] == [(8, 8, 40, 20)]
    quality = run.finished.quality
    assert quality is not None
    assert quality.mean_absolute_error < 4, "what was drawn counts as what was sent"


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "yuv444p", "p010le", "yuv420p10le", "gray"])
def test_the_declared_matrix_and_range_are_those_that_are_drawn_in(tmp_path: Path, pixel_format: str) -> None:
    """Full-range BT.601 frames: the watermark has other samples, and the same colour when it is shown."""
    source = av.VideoFrame.from_ndarray(gray_clip(1)[0], format="rgb24").reformat(
        format=pixel_format, dst_colorspace="ITU601", dst_color_range="JPEG"
    )
    frame = np.concatenate(
        [np.ascontiguousarray(plane).view(np.uint8).ravel() for plane in planes_of(source)]
    )
    overlay, material = logo(tmp_path, picture_file((200, 200, 200) if pixel_format == "gray" else ORANGE))
    meaning = Color(ColorPrimaries.BT709, ColorTransfer.BT709, ColorMatrix.SMPTE170M, ColorRange.FULL)
    run = run_raw(
        tmp_path, frame, PixelFormat(pixel_format), {"color": meaning}, overlays=(overlay,), material=material
    )
    picture = shown(run).astype(int)
    wanted = (200, 200, 200) if pixel_format == "gray" else ORANGE
    assert np.abs(picture[12:24, 12:44] - wanted).max() <= 4
    assert np.abs(picture[40:110, 60:150] - 90).max() <= 3


def run_raw(
    directory: Path, frame: Rgb, pixel_format: PixelFormat, video: dict[str, Any], **output: Any
) -> Run:
    """Two frames of raw bytes, 160 x 120, as MP4."""
    samples = np.stack([frame, frame]).reshape(2, 1, 1, -1)
    fields = {"width": 160, "height": 120} | video
    return run_writer(
        directory, samples, pixel_format, video=fields, format="mp4", quality=Quality.HIGH, **output
    )


def test_a_lossless_output_holds_exactly_the_frames_with_their_overlays(tmp_path: Path) -> None:
    clip = gradient_clip(5, 64, 96, deep=True)
    overlay, material = logo(tmp_path, picture_file((250, 10, 10, 128)), opacity=0.5)
    run = run_writer(
        tmp_path, clip, PixelFormat.RGB48LE, material=material, overlays=(overlay,), format="png"
    )
    assert run.finished.quality is not None
    assert run.finished.quality.psnr_db is None
    with Image.open(run.directory / "frames" / "frame_00002.png") as image:
        assert image.size == (96, 64)
    run = run_writer(
        tmp_path,
        clip,
        PixelFormat.RGB48LE,
        material=material,
        overlays=(overlay,),
        format="mkv",
        codec="ffv1",
    )
    assert run.warnings == []
    assert run.finished.quality is not None
    assert run.finished.quality.psnr_db is None


def test_an_overlay_is_seen_in_its_time_and_not_before_or_after(tmp_path: Path) -> None:
    overlay, material = logo(tmp_path, picture_file(ORANGE), start_seconds=0.2, end_seconds=0.4)
    run = run_writer(
        tmp_path, gray_clip(), frame_rate=TEN, material=material, overlays=(overlay,), format="png"
    )
    seen = [bool((shown(run, frame)[12:24, 12:44] == ORANGE).all()) for frame in range(6)]
    assert seen == [False, False, True, True, False, False]
    assert all((shown(run, frame)[12:24, 12:44] == 90).all() for frame in (0, 1, 4, 5))


def test_frames_count_in_the_text_that_names_them(tmp_path: Path) -> None:
    text = Overlay(TextOverlay("{frame}", size=Length(60)), Position.CENTER)
    run = run_writer(tmp_path, gray_clip(11), frame_rate=TEN, overlays=(text,), format="png")
    pictures = [shown(run, frame) for frame in range(11)]
    assert len({picture.tobytes() for picture in pictures}) == 11
    assert run.drawn[0].text == "0"
    assert int((pictures[10] != 90).sum()) > int((pictures[0] != 90).sum())


def test_text_is_white_on_any_ground_and_inside_its_margins(tmp_path: Path) -> None:
    long = TextOverlay("several words that are wider than the picture is", outline_width=Length(0))
    text = Overlay(long, Position.BOTTOM, margin=Length(10))
    run = run_writer(tmp_path, gray_clip(1), overlays=(text,), format="png")
    picture = shown(run)
    rows, columns = np.nonzero((picture != 90).any(axis=2))
    assert picture.max() == 255
    assert columns.min() >= 9
    assert columns.max() <= 150
    assert rows.max() <= 111
    assert "\n" in run.drawn[0].text
    assert run.warnings == []


def test_a_box_lies_behind_the_text(tmp_path: Path) -> None:
    box = TextOverlay("box", box_color="#0000ff", box_padding=Length(10), size=Length(20))
    run = run_writer(tmp_path, gray_clip(1), overlays=(Overlay(box, Position.TOP_LEFT),), format="png")
    found = run.drawn[0]
    picture = shown(run)
    inside = picture[found.top : found.top + found.height, found.left : found.left + found.width]
    assert (inside[:5] == (0, 0, 255)).all()
    assert (picture[: found.top] == 90).all()
    assert inside.max() == 255


def test_the_last_overlay_lies_on_top(tmp_path: Path) -> None:
    below, material = logo(tmp_path, picture_file((0, 0, 255)))
    above, _ = logo(tmp_path, picture_file(ORANGE))
    run = run_writer(tmp_path, gray_clip(1), material=material, overlays=(below, above), format="png")
    assert (shown(run)[12:24, 12:44] == ORANGE).all()


def test_overlays_lie_in_the_output_not_in_the_source(tmp_path: Path) -> None:
    overlay, material = logo(tmp_path, picture_file(ORANGE), position=Position.BOTTOM_RIGHT)
    scale = Scale(size="240p", aspect_ratio="9:16", mode=ScaleMode.PAD, pad_color="#102030")
    run = run_writer(
        tmp_path, gray_clip(1), material=material, overlays=(overlay,), scale=scale, format="png"
    )
    picture = shown(run)
    assert picture.shape == (426, 240, 3)
    assert (picture[402:414, 196:228] == ORANGE).all()
    assert (picture[:100, :, :] == (0x10, 0x20, 0x30)).all()
    assert np.abs(picture[180:240, 10:230].astype(int) - 90).max() <= 1


@pytest.mark.parametrize("source_format", [PixelFormat.RGB24, PixelFormat.GRAY8])
def test_a_filled_picture_shows_the_middle_and_is_not_distorted(
    tmp_path: Path, source_format: PixelFormat
) -> None:
    clip = np.zeros((1, 90, 160, 3), np.uint8)
    clip[:, 35:55, 70:90] = 255
    clip = clip if source_format is PixelFormat.RGB24 else np.ascontiguousarray(clip[..., 0])
    scale = Scale(180, 180, ScaleMode.FILL)
    run = run_writer(tmp_path, clip, source_format, scale=scale, format="png")
    rows, columns = np.nonzero(shown(run)[..., 0] > 127)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((70, 109, 70, 109), abs=2)


def test_scaling_before_drawing_keeps_white_white_at_each_depth(tmp_path: Path) -> None:
    """swscale has its own white of 16 bits; frames that are laid on a canvas must not be dimmed."""
    scale = Scale(240, 240, ScaleMode.PAD, pad_color="#ffffff")
    for source_format, shape in (
        (PixelFormat.RGB48LE, (1, 90, 160, 3)),
        (PixelFormat.GRAY16LE, (1, 90, 160)),
        (PixelFormat.GRAY8, (1, 90, 160)),
    ):
        white = np.full(
            shape, 65535 if source_format.bits > 8 else 255, np.uint16 if source_format.bits > 8 else np.uint8
        )
        run = run_writer(
            tmp_path / source_format.value, white, source_format, scale=scale, format="poster", codec="png"
        )
        assert shown(run).min() >= 254, source_format


def test_the_place_of_a_watermark_is_that_of_ffmpegs_overlay(tmp_path: Path) -> None:
    """libavfilter's overlay on the same yuv420p frames: the same samples, but for rounding."""
    data = picture_file((*ORANGE, 160), (41, 21))
    overlay, material = logo(tmp_path, data, x=Length(10), y=Length(6))
    source = av.VideoFrame.from_ndarray(gradient_clip(1, 120, 160)[0], format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    source.colorspace, source.color_range = 1, 1
    frame = np.concatenate([plane.ravel() for plane in planes_of(source)])
    run = run_raw(
        tmp_path, frame, PixelFormat.YUV420P, {"color": BT709}, overlays=(overlay,), material=material,
        codec="h264", crf=0.0,
    )  # fmt: skip
    with av.open(str(run.path)) as container:
        ours = planes_of(next(container.decode(video=0)))
    theirs = planes_of(_overlaid_by_ffmpeg(source, data, 10, 6))
    for one, other in zip(ours, theirs, strict=True):
        difference = np.abs(one.astype(int) - other.astype(int))
        assert np.percentile(difference, 98) <= 3
        assert difference.mean() < 0.5


def _overlaid_by_ffmpeg(source: av.VideoFrame, data: bytes, x: int, y: int) -> av.VideoFrame:
    with Image.open(io.BytesIO(data)) as image:
        mark = av.VideoFrame.from_ndarray(np.asarray(image), format="rgba").reformat(
            format="yuva420p", dst_colorspace="ITU709", dst_color_range="MPEG"
        )
    mark.colorspace, mark.color_range = 1, 1
    graph = av.filter.Graph()
    inputs = []
    for picture, name in ((source, "yuv420p"), (mark, "yuva420p")):
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        size = f"video_size={picture.width}x{picture.height}"
        arguments = f"{size}:pix_fmt={name}:time_base=1/25:colorspace=bt709:range=tv"
        inputs.append(graph.add("buffer", arguments))
    lay, sink = graph.add("overlay", f"x={x}:y={y}:format=yuv420"), graph.add("buffersink")
    inputs[0].link_to(lay, 0, 0)
    inputs[1].link_to(lay, 0, 1)
    lay.link_to(sink)
    graph.configure()
    for entry, picture in zip(inputs, (source, mark), strict=True):
        entry.push(picture)
        entry.push(None)
    found = sink.pull()
    assert isinstance(found, av.VideoFrame)
    return found


def test_an_image_with_a_colour_profile_is_shown_in_its_own_colours(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    overlay, material = logo(tmp_path, picture_file(ORANGE, icc_profile=profile))
    run = run_writer(tmp_path, gray_clip(1), material=material, overlays=(overlay,), format="png")
    assert np.abs(shown(run)[12:24, 12:44].astype(int) - ORANGE).max() <= 1
    broken, material = logo(tmp_path, picture_file(ORANGE, icc_profile=b"no profile"))
    run = run_writer(tmp_path / "b", gray_clip(1), material=material, overlays=(broken,), format="png")
    assert [code for code, _ in run.warnings] == ["OVERLAY_PROFILE_IGNORED"]


def test_what_cannot_be_shown_as_asked_is_a_coded_warning_or_with_strict_an_error(tmp_path: Path) -> None:
    wide, material = logo(tmp_path, picture_file(ORANGE), x=Length(150), y=Length(0))
    tofu = Overlay(TextOverlay("\U00030000 日"), Position.TOP)
    run = run_writer(
        tmp_path,
        gray_clip(1)[..., 0],
        PixelFormat.GRAY8,
        material=material,
        overlays=(wide, tofu),
        format="png",
    )
    assert [code for code, _ in run.warnings] == ["OVERLAY_CUT", "OVERLAY_WITHOUT_COLOR", "GLYPHS_MISSING"]
    with pytest.raises(StrictViolationError) as refused:
        run_writer(
            tmp_path / "s", gray_clip(1), material=material, overlays=(wide,), format="png", strict=True
        )
    assert refused.value.code == "OVERLAY_CUT"


@pytest.mark.parametrize("data", [b"", b"no picture", picture_file(ORANGE)[:60]])
def test_what_is_no_image_fails_its_output_with_a_reason(tmp_path: Path, data: bytes) -> None:
    overlay, material = logo(tmp_path, data)
    with pytest.raises(OutputError) as refused:
        run_writer(tmp_path, gray_clip(1), material=material, overlays=(overlay,), format="png")
    assert refused.value.code == "INVALID_OVERLAY"


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    overlay, material = logo(tmp_path, picture_file((0, 0, 0), (5000, 4000)))
    with pytest.raises(OutputError, match="5000 x 4000"):
        run_writer(tmp_path, gray_clip(1), material=material, overlays=(overlay,), format="png")


def test_text_of_an_absurd_size_is_refused(tmp_path: Path) -> None:
    text = Overlay(TextOverlay("x" * 2000, size=Length(16384)), Position.TOP)
    with pytest.raises(OutputError, match="smaller size"):
        run_writer(tmp_path, gray_clip(1), overlays=(text,), format="png")


def test_a_bit_rate_takes_the_place_of_the_rate_factor(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (48, 96, 128, 3), dtype=np.uint8)
    small, large = (
        run_writer(tmp_path / str(rate), noise, format="mp4", bit_rate=rate).finished
        for rate in (300_000, 3_000_000)
    )
    assert small.encoder.options["b"] == "300000"
    assert "crf" not in small.encoder.options
    assert 3 * small.files[0].size_bytes < large.files[0].size_bytes
    with pytest.raises(OutputError, match="rate control"):
        run_writer(tmp_path / "f", noise, format="mkv", codec="ffv1", bit_rate=1_000_000)
