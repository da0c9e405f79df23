"""A plug-in for SGLang-diffusion: videos are encoded by a server instead of on the GPU worker.

`SGLANG_EXTERNAL_MODEL_PACKAGE=telecine.compat.sglang_diffusion` has it imported once in each process. It is
off unless TELECINE_SERVER names a server. Written for 0.5.23. Pictures are saved by SGLang itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telecine.clients.plan import JobArguments
from telecine.compat import serving
from telecine.compat.clips import crf_of, format_of, write_clip
from telecine.compat.fallback import CompatCode, warn
from telecine.exceptions import InvalidRequestError
from telecine.request.options import Output

_MODULE = "sglang.multimodal_gen.runtime.entrypoints.utils"
_PRESETS = frozenset(
    {"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"}
)


def save_materialized_output(
    materialized: Any,
    data_type: Any,
    save_file_path: str | None,
    *,
    save_output: bool = True,
    return_image_bytes: bool = False,
    audio_sample_rate: int | None = None,
    output_compression: int | None = None,
    x264_preset: str | None = None,
) -> bytes | None:
    """Saves a video by the server, with its manifest beside it; all else is left to the original.

    Args:
        materialized: The frames, their rate, and sound.
        data_type: SGLang's kind of output.
        save_file_path: The file. None: nothing is saved.
        save_output: Whether to save at all.
        return_image_bytes: Of a single picture.
        audio_sample_rate: Samples per second: needed with sound, which is not guessed here.
        output_compression: 0 to 100, ten times imageio's quality. None: 50.
        x264_preset: The encoder's preset. None: the default.

    Raises:
        InvalidRequestError: It is no video, or its sound has no rate: the original takes it.
        TelecineError: What `Client.encode` raises.
    """
    kind = str(getattr(data_type, "name", data_type)).upper()
    if kind != "VIDEO" or not save_output or not save_file_path:
        original = serving.ORIGINALS[_MODULE, "save_materialized_output"]
        return original(  # type: ignore[no-any-return]  # SGLang's own
            materialized, data_type, save_file_path, save_output=save_output,
            return_image_bytes=return_image_bytes, audio_sample_rate=audio_sample_rate,
            output_compression=output_compression, x264_preset=x264_preset,
        )  # fmt: skip
    _save_video(materialized, save_file_path, audio_sample_rate, output_compression, x264_preset)
    return None


def _save_video(
    materialized: Any, path: str, sample_rate: int | None, compression: int | None, preset: str | None
) -> None:
    arguments: JobArguments = {}
    if materialized.audio is not None:
        if sample_rate is None:
            raise InvalidRequestError("the sound has no audio_sample_rate; it is not guessed")
        arguments["audio"] = serving.audio_of(materialized.audio, sample_rate)
    output = Output(
        format_of(path),
        codec="h264",
        crf=crf_of(5 if compression is None else compression / 10),
        preset=preset if preset and preset in _PRESETS else "",
    )
    if preset and preset not in _PRESETS:
        warn(CompatCode.ARGUMENT_IGNORED, f"x264_preset {preset!r} is not known")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    frames, fps = materialized.frames, materialized.fps
    write_clip(frames, path, fps=fps, output=output, server=serving.address(), **arguments)


def activate() -> bool:
    """Wraps `save_materialized_output`; returns whether that was done, and says so. Never raises."""
    return serving.activate("SGLang", _MODULE, {"save_materialized_output": save_materialized_output})


activate()
