"""What `-o`, `--size` and `--meta` say is read exactly, or refused with the part that is wrong."""

from __future__ import annotations

import pytest
from telecine.cli.encode.output_texts import parse_metadata, parse_output, parse_size
from telecine.cli.show.failures import UsageError
from telecine.request.options import Color, Output, Scale
from telecine.request.overlays import ImageOverlay, TextOverlay


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mp4", Output("mp4")),
        ("mp4:crf=16,preset=slow", Output("mp4", crf=16.0, preset="slow")),
        (
            "webm:codec=av1,name=small,scale=640x",
            Output("webm", codec="av1", name="small", scale=Scale(640, 0)),
        ),
        ("webp:loop_count=3,alpha=keep", Output("webp", loop_count=3, alpha="keep")),
        ("mov:options.vendor=apl0,strict=yes", Output("mov", options={"vendor": "apl0"}, strict=True)),
        ("mp4:transfer=iec61966-2-1", Output("mp4", color=Color(transfer="iec61966-2-1"))),
        ("contact_sheet:columns=4,rows=2", Output("contact_sheet", columns=4, rows=2)),
        ("mp4:scale=1080p", Output("mp4", scale=Scale(size="1080p"))),
        (
            "mp4:scale=720p,aspect_ratio=9:16,scale_mode=fill",
            Output("mp4", scale=Scale(size="720p", aspect_ratio="9:16", mode="fill")),
        ),
        (
            "mp4:aspect_ratio=1:1,pad_color=#ffffff",
            Output("mp4", scale=Scale(aspect_ratio="1:1", pad_color="#ffffff")),
        ),
        ("mp4:bit_rate=2M,max_duration=2.5", Output("mp4", bit_rate="2M", max_duration_seconds=2.5)),
        (
            r"mp4:text=one\, two\nthree,text_size=24,text_position=top,text_start=0.5",
            Output(
                "mp4",
                overlays=(TextOverlay("one, two\nthree", size="24", position="top", start_seconds=0.5),),
            ),
        ),
        (
            "gif:watermark=logo.png,watermark_width=15%,watermark_opacity=0.5,text=x",
            Output("gif", overlays=(ImageOverlay("logo.png", width="15%", opacity=0.5), TextOverlay("x"))),
        ),
    ],
)
def test_an_output_text_is_an_output(text: str, expected: Output) -> None:
    assert parse_output(text, {}) == expected


def test_what_an_output_says_goes_before_the_defaults() -> None:
    assert parse_output("mp4:quality=draft", {"quality": "lossless"}).quality == "draft"
    assert parse_output("mp4", {"quality": "lossless"}).quality == "lossless"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("mp4:crf", "'crf' is not KEY=VALUE"),
        ("mp4:crf=low", "crf is 'low'"),
        ("mp4:quallity=high", "unknown key 'quallity'"),
        ("mp4:scale=640", "scale is '640'"),
        ("mp4:strict=maybe", "strict is 'maybe'"),
        ("mp4:scale=x", "scale is 'x'"),
        ("mp4:max_duration=long", "max_duration is 'long'"),
        ("mp4:text=a,text_opacity=half", "text_opacity is 'half'"),
        ("mp4:watermark_width=5%", "watermark_width is without a watermark"),
        (":crf=18", "no format"),
    ],
)
def test_a_wrong_part_is_named(text: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong) as caught:
        parse_output(text, {})
    assert caught.value.advice


def test_sizes_and_metadata() -> None:
    assert parse_size("832x480") == (832, 480)
    assert parse_metadata(["prompt=a=b", "seed=7"]) == {"prompt": "a=b", "seed": "7"}
    for wrong in ("832", "832x", "0x480", "axb"):
        with pytest.raises(UsageError):
            parse_size(wrong)
    with pytest.raises(UsageError):
        parse_metadata(["no equals sign"])
