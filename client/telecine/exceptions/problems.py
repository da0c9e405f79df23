"""What failures and warnings of a job mean for its caller, code by code: who can fix it, and what to do.

The codes themselves are the enums of the encoder service (`encoder_service/spec/codes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from telecine.exceptions.root import ErrorKind


@dataclass(frozen=True, slots=True)
class ProblemAdvice:
    """What to do about one code of a manifest."""

    kind: ErrorKind
    recovery: str
    """What to do, in plain words."""
    is_retryable: bool = False
    """The same job under a new job_id may succeed."""


_REPORT = "Report it with the job's manifest and its stage.log"


def _caller(recovery: str) -> ProblemAdvice:
    return ProblemAdvice(ErrorKind.CALLER, recovery)


def _later(recovery: str) -> ProblemAdvice:
    return ProblemAdvice(ErrorKind.LATER, recovery, is_retryable=True)


def _job(recovery: str) -> ProblemAdvice:
    return ProblemAdvice(ErrorKind.JOB, recovery)


def _ours(recovery: str = f"{_REPORT}.", *, is_retryable: bool = False) -> ProblemAdvice:
    return ProblemAdvice(ErrorKind.SERVICE, recovery, is_retryable)


PROBLEMS: Mapping[str, ProblemAdvice] = {
    "ALL_OUTPUTS_FAILED": _job("Look at each output's problem; fix those, and send the job again."),
    "ALPHA_UNSUPPORTED": _caller(
        'Ask for alpha="flatten", or a format that carries it: WebM (VP9), WebP, PNG.'
    ),
    "ARTIFACT_TOO_LARGE": _caller(
        "Ask for a higher CRF, a smaller size or fewer frames, or have max_artifact_bytes raised."
    ),
    "AUDIO_LENGTH_DIFFERS": _caller(
        "Send sound that is as long as the pictures, or ask for audio_fit pad or trim."
    ),
    "CANCELLED": _job("Nothing to fix; start a new job to have the outputs after all."),
    "CODEC_CRASHED": _ours(
        f"Try another preset, codec or server. {_REPORT}: a codec must not crash.", is_retryable=True
    ),
    "COLOR_CONVERSION_UNSUPPORTED": _caller(
        "Leave primaries and transfer as the frames have them, or convert the frames before you send them."
    ),
    "CONVERSION_FAILED": _ours(),
    "DISK_FULL": _later("Make room on the disk of the service, then send the job again."),
    "ENCODER_UNAVAILABLE": _caller("Choose a codec that `telecine capabilities` shows as available."),
    "ENCODING_FAILED": _ours(f"Try another preset or codec. {_REPORT}."),
    "FILE_MISSING": _ours("Find what deletes files below the service's data directory.", is_retryable=True),
    "FONT_UNAVAILABLE": _caller("Put the font back, or name one that the service has."),
    "FONT_UNUSABLE": _caller("Name another font; the service cannot read the file of this one."),
    "FRAMES_MISSING": _ours(is_retryable=True),
    "IMPLAUSIBLE_ANSWER": _ours("Report it, with the clip's spec: a codec may have been attacked."),
    "INTERNAL": _ours(f"Send the job again under a new job_id. {_REPORT}.", is_retryable=True),
    "INVALID_BACKGROUND": _caller("Write the colour as #rrggbb."),
    "INVALID_COLOR": _caller(
        "Leave the colour out, or name a combination that exists, such as bt709 for all four."
    ),
    "INVALID_FRAME": _ours(),
    "INVALID_FRAME_INDEX": _caller("Name a frame of the clip; negative numbers count from its end."),
    "INVALID_GRID": _caller("Ask for fewer columns and rows."),
    "INVALID_OPTION": _caller(
        "Leave the option out, or give it a value that the encoder's documentation names."
    ),
    "INVALID_OVERLAY": _caller("Send a smaller PNG or shorter text; the message names what is wrong."),
    "INVALID_PIXEL_FORMAT": _caller(
        "Leave pixel_format out, or name one that `telecine capabilities` lists."
    ),
    "INVALID_SAMPLES": _caller("Send finite samples: replace NaN and infinity before the sound is pushed."),
    "INVALID_SCALE": _caller("Ask for a size from 1 to 16384 pixels, or leave it out."),
    "IO_ERROR": _ours(
        "Check the disk of the service's data directory, then send the job again.", is_retryable=True
    ),
    "JOB_CANCELLED": _job("Nothing to fix; start a new job to have the outputs after all."),
    "JOB_DEADLINE_EXCEEDED": _caller("Allow more time, or ask for a faster preset or fewer outputs."),
    "JOB_EXPIRED": _caller("Send it under a new job_id, with shorter pauses between the frames."),
    "MUXING_FAILED": _ours(f"Try another container, or a shorter clip. {_REPORT}."),
    "NO_FRAMES": _caller("Push at least one frame before you finish."),
    "ODD_SIZE": _caller('Send frames of even width and height, or take odd_size_policy="pad" or "crop".'),
    "OUTPUT_TOO_LARGE": _caller(
        "Ask for a lower quality, a smaller size or fewer frames, or have max_output_bytes raised."
    ),
    "OUT_OF_MEMORY": _caller(
        "Ask for a smaller size, another codec or a faster preset, or have worker_memory_bytes raised."
    ),
    "OUT_OF_ORDER": _ours(),
    "PATH_TAKEN": _caller("Give each output a name of its own."),
    "SANDBOX_UNAVAILABLE": _ours(
        "Use another server, or run this one on Linux 6.2 or later; `telecine doctor` shows what is missing."
    ),
    "SOURCE_UNREADABLE": _caller("Check that the file is whole and that a player shows it."),
    "SPOOL_DAMAGED": _ours(
        "Check the service's disk; then send the job again under a new job_id.", is_retryable=True
    ),
    "UNKNOWN_CODEC": _caller("Choose a codec that `telecine capabilities` lists for the format."),
    "UNKNOWN_FORMAT": _caller("Choose a format that `telecine capabilities` lists."),
    "UNKNOWN_PIXEL_FORMAT": _caller("Choose a pixel format that `telecine capabilities` lists."),
    "UNSAFE_PATH": _ours(),
    "UNSUPPORTED_SIZE": _caller(
        "Scale the output to a size within the limit, split the clip, or choose a format without that limit."
    ),
    "VERIFICATION_FAILED": _ours(f"Try another preset or codec. {_REPORT}.", is_retryable=True),
    "WORKER_HUNG": _ours("Allow more time for a job, or ask for a faster preset.", is_retryable=True),
}
"""Every `FailureCode` of the encoder service; `docs/warnings.md` explains each."""

WARNINGS: Mapping[str, ProblemAdvice] = {
    "ALPHA_FLATTENED": _caller('Ask for alpha="flatten" where this is meant, or for a format with alpha.'),
    "ALPHA_REDUCED": _caller('Choose WebP or APNG for soft edges, or ask for alpha="flatten".'),
    "AUDIO_CLIPPED": _caller("Lower the volume of the sound, or the loudness that is asked for."),
    "AUDIO_CONVERTED": _caller("Choose pcm in MOV, MKV or WAV to keep every value of the samples."),
    "AUDIO_DOWNMIXED": _caller(
        "Name the layout that is wanted, or choose a codec that holds the sound's own."
    ),
    "AUDIO_DROPPED": _caller("Choose a format with sound, or disable the sound of this output."),
    "AUDIO_PADDED": _caller(
        "Nothing to fix; send sound as long as the pictures to have no silence behind it."
    ),
    "AUDIO_RESAMPLED": _caller("Nothing to fix; send the sound at a rate that the codec knows to keep it."),
    "AUDIO_TRIMMED": _caller(
        "Send sound as long as the pictures, or ask for audio_fit trim where this is meant."
    ),
    "BIT_DEPTH_REDUCED": _caller("Choose PNG, APNG, FFV1, ProRes, or a 10-bit pixel_format."),
    "COLOR_NOT_TAGGED": _caller("Choose PNG, APNG or a video format, which can state the frames' colour."),
    "DURATION_CUT": _caller("Nothing to fix; ask for a longer max_duration to keep more frames."),
    "ENCODER_FALLBACK": _caller("Choose a codec or encoder that `telecine capabilities` shows as available."),
    "FRAME_DURATION_TOO_SHORT": _caller("Choose a lower frame_rate, or a video format."),
    "FONT_SUBSTITUTED": _caller(
        "Name a font that has all characters of the text; `telecine capabilities` lists those of the server."
    ),
    "GLYPHS_MISSING": _caller("Choose another font; `telecine capabilities` lists those of the server."),
    "INPUT_NOT_HASHED": _ours("Look at the disk of the service; the artifacts themselves are whole."),
    "LOSSLESS_NOT_EXACT": _caller("Choose FFV1, PNG, APNG or lossless WebP to keep frames exactly."),
    "LOUDNESS_NOT_REACHED": _caller(
        "Ask for a lower loudness or a higher true peak; a limiter in the mix would make it louder."
    ),
    "METADATA_ESCAPED": _caller(
        'Send text that UTF-8 can hold, such as text.encode(errors="replace").decode().'
    ),
    "ODD_SIZE_CROPPED": _caller("Nothing to fix; send frames of even width and height to keep every pixel."),
    "ODD_SIZE_PADDED": _caller("Nothing to fix; send frames of even width and height to keep their size."),
    "OUTPUT_SKIPPED": _caller("Choose a format and codec that `telecine capabilities` shows as available."),
    "OVERLAY_CUT": _caller("Choose a smaller size or width for the overlay, or another place."),
    "OVERLAY_NOT_SHOWN": _caller("Choose an earlier start for the overlay, within the clip."),
    "OVERLAY_PROFILE_IGNORED": _caller("Send the overlay's image in sRGB."),
    "OVERLAY_WITHOUT_COLOR": _caller("Send RGB frames, or choose gray overlays."),
    "SAMPLES_CLIPPED": _caller("Scale the frames to 0..1 before they are sent."),
    "SOURCE_ALPHA_DROPPED": _caller("Convert the source first with a program that decodes its alpha."),
    "SOURCE_CHAPTERS_DROPPED": _caller(
        "Nothing to fix where they are not needed; else mux them in afterwards."
    ),
    "SOURCE_DAMAGED": _caller("Take a whole copy of the source."),
    "SOURCE_FRAMES_DROPPED": _caller("Push the image by itself, or each of its pictures in turn."),
    "SOURCE_HDR_DROPPED": _caller(
        "Set it with options of the encoder: x265-params with master-display and max-cll."
    ),
    "SOURCE_INTERLACED": _caller("Add --deinterlace, or deinterlace the source first."),
    "SOURCE_METADATA_DROPPED": _caller(
        "Nothing to fix where they are not needed; else set them in the artifacts afterwards."
    ),
    "SOURCE_ORIENTATION_IGNORED": _caller("Leave --no-autorotate out, or turn the source upright first."),
    "SOURCE_PIXELS_NOT_SQUARE": _caller(
        'Leave --no-square-pixels out, or scale with mode "stretch" to the size that the message names.'
    ),
    "SOURCE_PROFILE_IGNORED": _caller("Convert the image to sRGB first, or declare the frames' color."),
    "SOURCE_PROJECTION_DROPPED": _caller("Set it in the artifacts afterwards."),
    "SOURCE_RETIMED": _caller("Leave --fps out to keep the times of the source."),
    "SOURCE_SOUND_CHANGED": _caller(
        "Nothing to fix where that will do; else prepare the sound, and add --audio FILE."
    ),
    "SOURCE_SOUND_DROPPED": _caller("Name the sound with --audio FILE, or mux it in afterwards."),
    "SOURCE_STREAMS_DROPPED": _caller(
        "Nothing to fix where they are not needed; else send them as a clip of their own."
    ),
    "SOURCE_SUBTITLES_DROPPED": _caller("Mux the subtitles in afterwards, or draw them as overlays."),
    "SOURCE_TIMING_CHANGED": _caller(
        "Nothing to fix where a constant frame rate will do; the message says what was repeated or dropped."
    ),
    "WORKERS_UNAVAILABLE": _ours(
        "Nothing to do for the job; an operator finds the reason in the service's log."
    ),
}
"""Every `WarningCode` of the encoder service; a strict output fails with the code of the fallback."""

UNKNOWN_PROBLEM = ProblemAdvice(
    ErrorKind.SERVICE, "Read the message; a newer SDK may know more of this code."
)
"""For a code that only a newer server knows."""


def advice_of(code: str) -> ProblemAdvice:
    """What to do about a failure or a forbidden fallback; `UNKNOWN_PROBLEM` if this SDK does not know it."""
    return PROBLEMS.get(code) or WARNINGS.get(code, UNKNOWN_PROBLEM)
