"""Fits the length of the sound to that of the pictures, which are never cut or added for it; pure."""

from __future__ import annotations

import math
from fractions import Fraction

import msgspec

from encoder_service.spec.audio.track import AudioFit, fitting_samples
from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError


class Fitted(msgspec.Struct, frozen=True):
    """How many samples of the track are used, at its own rate."""

    used: int
    padded: int
    trimmed: int
    is_forced: bool = False
    """It is trimmed although that was not asked for."""
    follows_pictures: bool = True
    """It is as long as they are."""


def fit_length(
    sent: int, sample_rate: int, duration_seconds: Fraction, fit: AudioFit, *, is_cut: bool
) -> Fitted:
    """Fits the sound to pictures of that duration; a difference below one sample is none.

    `is_cut`: the pictures were cut to a maximum duration, and so is the sound, whatever its `fit`. Raises
    OutputError with code AUDIO_LENGTH_DIFFERS.
    """
    least, most = fitting_samples(duration_seconds, sample_rate)
    if is_cut and sent > most:
        return Fitted(used=least, padded=0, trimmed=sent - least)
    if least <= sent <= most:
        return Fitted(used=sent, padded=0, trimmed=0)
    if fit is AudioFit.ERROR:
        raise OutputError(
            FailureCode.AUDIO_LENGTH_DIFFERS,
            f"the sound has {sent} samples ({sent / sample_rate:.6f} s) and the pictures last "
            f"{float(duration_seconds):.6f} s, which is {least} samples; audio_fit is error",
        )
    if sent > most:
        return Fitted(used=least, padded=0, trimmed=sent - least, is_forced=fit is AudioFit.PAD)
    if fit is AudioFit.TRIM:
        return Fitted(used=sent, padded=0, trimmed=0, follows_pictures=False)
    return Fitted(used=sent, padded=least - sent, trimmed=0)


def coded_samples(fitted: Fitted, sample_rate: int, coded_rate: int, duration_seconds: Fraction) -> int:
    """How many samples the encoder is given at its own rate."""
    length = fitted.used + fitted.padded
    if sample_rate == coded_rate:
        return length
    exact = Fraction(length * coded_rate, sample_rate)
    if not fitted.follows_pictures:
        return max(1, round(exact))
    return max(1, math.floor(min(exact, duration_seconds * coded_rate)))
