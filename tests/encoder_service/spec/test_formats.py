"""Formats are data, and the data is complete."""

from __future__ import annotations

import pytest

from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS, FormatRow, find_format
from encoder_service.spec.spec import Quality
from encoder_service.worker.libav.encoding import pixel_formats_of
from encoder_service.worker.writer import load_writer


@pytest.mark.parametrize("row", FORMATS.values(), ids=lambda row: row.name)
def test_every_row_is_whole(row: FormatRow) -> None:
    assert row.candidates(row.default_codec)
    assert row.extension.startswith(".")
    assert "/" in row.media_type
    assert callable(load_writer(row))
    assert row.can_carry_alpha <= any(encoder.can_carry_alpha for encoder in row.encoders)
    assert row.codecs[0] == row.default_codec
    for encoder in row.encoders:
        assert set(encoder.qualities) == set(Quality)
        for numbers in encoder.qualities.values():
            assert numbers.crf is None or encoder.crf_range[0] <= numbers.crf <= encoder.crf_range[1]


def test_h264_is_crf_18_fast_by_default() -> None:
    best = FORMATS["mp4"].candidates("h264")[0]
    assert (best.encoder, best.qualities[Quality.HIGH].crf) == ("libx264", 18)
    assert best.qualities[Quality.HIGH].preset == "fast"


def test_pixel_formats_of_the_rows_are_known_to_the_encoders() -> None:
    for row in FORMATS.values():
        for encoder in row.encoders:
            known = pixel_formats_of(encoder.encoder)
            formats = encoder.pixel_formats
            if not known or row.container == "" or encoder.is_hardware:
                continue
            named = {formats.default, formats.deep, formats.alpha, formats.deep_alpha}
            named |= {*formats.same.values(), *formats.lossless.values()}
            assert named - {""} <= set(known), encoder.encoder


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(OutputError, match="webm") as caught:
        find_format("avi")
    assert caught.value.code == "UNKNOWN_FORMAT"
