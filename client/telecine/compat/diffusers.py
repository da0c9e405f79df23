"""Stands in for the export functions of Hugging Face's diffusers: same names, arguments, return values.

    import telecine.compat.diffusers as t
    t.install()                       # before `from diffusers.utils import export_to_video`

or, without patching anything, `t.export_to_video(pipe(...).frames[0], "clip.mp4", fps=16)`.

Written for 0.42.1. No picture is scaled (the original scales up to multiples of 16), colour is tagged and
kept, sound is flushed, and `<file>.manifest.json` lies beside the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from telecine.clients.plan import JobArguments
from telecine.compat.clips import crf_of, format_of, layout_of, one_clip, temporary_file, write_clip
from telecine.compat.fallback import CompatCode, bound_elsewhere, takes_the_same, warn, with_fallback
from telecine.request.options import Output
from telecine.request.rates import FrameRate
from telecine.sound.audio import Audio

_HOMES = ("diffusers.utils.export_utils", "diffusers.utils")
"""Both paths by which programs import the names."""
_NAMES = ("export_to_video", "export_to_gif", "encode_video")


@dataclass(slots=True)
class _Settings:
    server: str | None = None
    is_strict: bool = False


_settings = _Settings()
_originals: dict[tuple[str, str], Any] = {}
"""What stood at each place before `install`."""


def install(server: str | None = None, *, strict: bool = False) -> bool:
    """Puts the functions of this module where diffusers has its own; returns whether that was done.

    Call it before names are imported with `from diffusers.utils import ...`: a name that is bound already
    keeps the original, and is reported by a warning (COMPAT_BOUND_BEFORE). Calling it again changes the
    settings alone.

    Args:
        server: "host:port" or "unix:/path". None: the configured one (TELECINE_SERVER), else an embedded
            server.
        strict: Never fall back to the original, and let every fallback of an encode be an error. False: where
            an encode fails the original is called, with a warning (COMPAT_FELL_BACK).

    Raises:
        ImportError: `strict`, and diffusers is not installed or has other functions by now.
    """
    _settings.server, _settings.is_strict = server, strict
    homes = _homes()
    if not homes:
        return False
    ready = [_patch(name, homes) for name in _NAMES if (_HOMES[0], name) not in _originals]
    return all(ready)


def uninstall() -> None:
    """Puts the originals back. Idempotent."""
    for (home, name), original in _originals.items():
        setattr(sys.modules[home], name, original)
    _originals.clear()


def export_to_video(
    video_frames: Any,
    output_video_path: str | None = None,
    fps: FrameRate = 10,
    quality: float | None = 5.0,
    bitrate: int | None = None,
    macro_block_size: int | None = 16,
) -> str:
    """Writes a clip as MP4 (or as what the name says) and returns its path.

    Args:
        video_frames: PIL images, arrays (H, W, C) or (T, H, W, C) of floats from 0 to 1 or of uint8, tensors,
            or a batch of one clip of those.
        output_video_path: The file. None: a temporary one.
        fps: Frames per second: a number, or a fraction such as "24000/1001".
        quality: 0 to 10, with the meaning of imageio (CRF 51 to 0). None: by the server's default.
        bitrate: Bits per second, instead of a quality. None: by quality.
        macro_block_size: Ignored: pictures keep their size, and an odd one is padded by one pixel.

    Raises:
        TelecineError: What `Client.encode` raises.
    """
    path = temporary_file(".mp4") if output_video_path is None else os.fspath(output_video_path)
    name = format_of(path)
    if name in {"mp4", "mov", "mkv"}:
        crf = None if quality is None or bitrate else crf_of(quality)
        codec = "" if name == "mp4" else "h264"
        output = Output(name, codec=codec, crf=crf, bit_rate=bitrate or 0)
    else:
        output = Output(name, bit_rate=bitrate or 0)
    _write(video_frames, path, fps, output)
    return path


def export_to_gif(image: Any, output_gif_path: str | None = None, fps: FrameRate = 10) -> str:
    """Writes an animation that is played for ever as GIF (or as what the name says) and returns its path.

    Args:
        image: PIL images, or what `export_to_video` takes.
        output_gif_path: The file. None: a temporary one.
        fps: Frames per second.

    Raises:
        TelecineError: What `Client.encode` raises.
    """
    path = temporary_file(".gif") if output_gif_path is None else os.fspath(output_gif_path)
    _write(image, path, fps, Output(format_of(path)))
    return path


def encode_video(
    video: Any,
    fps: FrameRate,
    output_path: str,
    audio: Any = None,
    audio_sample_rate: int | None = None,
    video_chunks_number: int = 1,
) -> None:
    """Writes a clip with its sound.

    Args:
        video: PIL images, an array or tensor (T, H, W, C), or an iterator of such pieces; uint8, or floats
            from 0 to 1. An array of floats beyond 1 is taken as code values, with a warning
            (COMPAT_VALUES_AS_CODES).
        fps: Frames per second; a fraction is kept, where the original cuts it down.
        output_path: The file.
        audio: Samples of shape (channels, samples), (samples, channels) or (samples,), mono or stereo; floats
            from -1 to 1 (beyond that they are clipped) or int16. None: silent.
        audio_sample_rate: Samples per second; needed with `audio`.
        video_chunks_number: Ignored: frames are sent as they come.

    Raises:
        ValueError: Sound without a rate, or with other than one or two channels.
        TelecineError: What `Client.encode` raises.
    """
    path = os.fspath(output_path)
    if audio is not None and audio_sample_rate is None:
        raise ValueError("audio_sample_rate is required when audio is provided")
    sound = None if audio is None else _stereo(audio, audio_sample_rate or 0)
    _write(_as_samples(video), path, fps, Output(format_of(path)), sound)


def _write(frames: Any, path: str, fps: FrameRate, output: Output, audio: Audio | None = None) -> None:
    clip = one_clip(frames)
    arguments: JobArguments = {
        "layout": layout_of(clip),
        "out_of_range": "error" if _settings.is_strict else "clip",
        "strict": _settings.is_strict,
        "audio": audio,
    }
    write_clip(clip, path, fps=fps, output=output, server=_settings.server, **arguments)


def _stereo(audio: Any, sample_rate: int) -> Audio:
    """Two channels, as the original writes them: mono is doubled. Raises ValueError for other counts."""
    samples = audio.detach() if hasattr(audio, "detach") else np.asarray(audio)
    if samples.ndim == 1 or 1 in samples.shape:
        values = samples.cpu().numpy() if hasattr(samples, "cpu") else samples
        if values.dtype.kind == "f" or values.dtype == np.int16:
            return Audio(np.repeat(values.reshape(-1, 1), 2, axis=1), sample_rate, "stereo", axes="NC")
        return Audio(values.reshape(-1), sample_rate, "mono")
    is_first = samples.shape[1] != 2 and samples.shape[0] == 2
    if samples.ndim != 2 or (samples.shape[1] != 2 and not is_first):
        raise ValueError(f"Expected samples with 2 channels; got shape {tuple(samples.shape)}.")
    return Audio(samples, sample_rate, "stereo", axes="CN" if is_first else "NC")


def _as_samples(video: Any) -> Any:
    """What `encode_video` means by its arrays: floats beyond 1 are code values."""
    if isinstance(video, np.ndarray) and video.dtype.kind == "f" and video.size and float(video.max()) > 1:
        warn(CompatCode.VALUES_AS_CODES, "floats beyond 1 are taken as code values from 0 to 255")
        return np.clip(np.rint(video), 0, 255).astype(np.uint8)
    if isinstance(video, Iterator):
        return _pieces(video)
    return video


def _pieces(video: Iterable[Any]) -> Iterator[Any]:
    yield from video


def _homes() -> list[Any]:
    """The modules to patch; none where diffusers is not there, with a warning or, if strict, an error."""
    try:
        return [import_module(home) for home in _HOMES]
    except Exception as error:
        message = f"diffusers cannot be imported ({type(error).__name__}: {error})"
        if _settings.is_strict:
            raise ImportError(message) from error
        warn(CompatCode.NOT_INSTALLED, f"{message}; nothing was installed")
        return []


def _patch(name: str, homes: list[Any]) -> bool:
    ours = globals()[name]
    original = getattr(homes[0], name, None)
    if original is None or not takes_the_same(ours, original):
        message = f"diffusers.utils.{name} has other parameters than those this was written for"
        if _settings.is_strict:
            raise ImportError(message)
        warn(CompatCode.UNKNOWN_SIGNATURE, f"{message}; it stays as it is")
        return False
    stand_in = with_fallback(ours, original, lambda: not _settings.is_strict)
    if places := bound_elsewhere(original, _HOMES):
        message = f"{', '.join(places[:5])} keeps the original: install before it is imported"
        warn(CompatCode.BOUND_BEFORE, message)
    for home in homes:
        _originals[home.__name__, name] = getattr(home, name)
        setattr(home, name, stand_in)
    return True
