"""Nothing that a client may set crashes or hangs an encoder: every allowed value is tried for real."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from encoder_service.options.table import RULES
from encoder_service.worker.libav.encoding import pixel_formats_of
from tests.encoder_service.options.walk import Outcome

WALK_SECONDS = 240
MADE_BY_PILLOW_OR_US = {"png", "gif", "libwebp", "libjpeg-turbo"}
REFUSED_CLEARLY = {"INVALID_OPTION"}
# Says another colour than the output's `color`: the read-back sees it.
COLORS = ("colorprim", "colormatrix", "transfer", "range", "fullrange", "primaries", "matrix-coefficients")


def walked(encoder: str) -> list[Outcome]:
    """What became of each value. Fails where the program did not get to its end."""
    command = [sys.executable, "-m", "tests.encoder_service.options.walk", encoder]
    done = subprocess.run(command, capture_output=True, timeout=WALK_SECONDS, check=False)
    lines = [msgspec.json.decode(line, type=Outcome) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.returncode, done.stderr[-2000:])
    return [line for line in lines if not line.is_begun_only]


@pytest.mark.parametrize("encoder", [name for name, rules in RULES.items() if rules.options])
def test_every_allowed_value_is_encoded_or_clearly_refused(encoder: str) -> None:
    if encoder not in MADE_BY_PILLOW_OR_US and not pixel_formats_of(encoder):
        pytest.skip(f"{encoder} is not in this build of FFmpeg")
    if encoder.endswith("_nvenc"):
        pytest.skip("needs a card")
    outcomes = walked(encoder)
    wrong = [
        outcome
        for outcome in outcomes
        if outcome.code
        and outcome.code not in REFUSED_CLEARLY
        and not (outcome.code == "VERIFICATION_FAILED" and any(word in outcome.case for word in COLORS))
    ]
    assert not wrong
    worked = {outcome.case for outcome in outcomes if not outcome.code}
    if encoder == "libx264rgb":
        worked.add("x264-params.colormatrix")  # RGB has none to choose
    assert {outcome.case for outcome in outcomes} - worked == set(), "on the list, but never of use"
