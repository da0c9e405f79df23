"""Telecine's Python SDK: frames in, film out, and every log line accounted for.

    import telecine

    result = telecine.encode(frames, fps=16, outputs=["mp4", "webm", "webp"], to="out")
    print(result["mp4"].local_path)

Names are loaded when they are first used: `import telecine` costs nothing to a program that only logs.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# gRPC would start its threads again in every forked child, where they die (SIGABRT) of the files that a
# child closes before it becomes another program: two in a hundred of a user's own subprocesses.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

if TYPE_CHECKING:
    __version__: str
    from telecine import exceptions, stages
    from telecine.clients.asynchronous import AsyncClient
    from telecine.clients.asynchronous_job import AsyncJob
    from telecine.clients.blocking import Client
    from telecine.clients.blocking_job import Job
    from telecine.clients.embedded import EmbeddedServer
    from telecine.clients.logs import JobStory, LogClient, LogFilter
    from telecine.clients.one_call import (
        SavedGeneration,
        encode,
        save_generation,
        save_generation_async,
    )
    from telecine.exceptions import TelecineError
    from telecine.request.options import (
        AlphaMode,
        Color,
        KeepAlive,
        OddSizePolicy,
        Output,
        PixelFormat,
        Quality,
        RetryPolicy,
        Scale,
        ScaleMode,
        Tls,
        Webhook,
    )
    from telecine.request.overlays import ImageOverlay, Position, TextOverlay
    from telecine.request.sound import AudioFit, Loudness, Sound
    from telecine.results.values import (
        Artifact,
        Capabilities,
        DamagedJob,
        EncodeResult,
        JobInfo,
        JobState,
        JobWarning,
        OutputInfo,
        OutputProgress,
        OutputState,
        Preview,
        Problem,
        Progress,
    )
    from telecine.sound.audio import Audio

__all__ = [
    "AlphaMode",
    "Artifact",
    "AsyncClient",
    "AsyncJob",
    "Audio",
    "AudioFit",
    "Capabilities",
    "Client",
    "Color",
    "DamagedJob",
    "EmbeddedServer",
    "EncodeResult",
    "ImageOverlay",
    "Job",
    "JobInfo",
    "JobState",
    "JobStory",
    "JobWarning",
    "KeepAlive",
    "LogClient",
    "LogFilter",
    "Loudness",
    "OddSizePolicy",
    "Output",
    "OutputInfo",
    "OutputProgress",
    "OutputState",
    "PixelFormat",
    "Position",
    "Preview",
    "Problem",
    "Progress",
    "Quality",
    "RetryPolicy",
    "SavedGeneration",
    "Scale",
    "ScaleMode",
    "Sound",
    "TelecineError",
    "TextOverlay",
    "Tls",
    "Webhook",
    "encode",
    "exceptions",
    "save_generation",
    "save_generation_async",
    "stages",
]

_HOMES = {
    "telecine.clients.asynchronous": ("AsyncClient",),
    "telecine.clients.asynchronous_job": ("AsyncJob",),
    "telecine.clients.blocking": ("Client",),
    "telecine.clients.embedded": ("EmbeddedServer",),
    "telecine.exceptions": ("TelecineError",),
    "telecine.clients.one_call": (
        "SavedGeneration", "encode", "save_generation", "save_generation_async",
    ),
    "telecine.clients.blocking_job": ("Job",),
    "telecine.clients.logs": ("JobStory", "LogClient", "LogFilter"),
    "telecine.request.options": (
        "AlphaMode", "Color", "KeepAlive", "OddSizePolicy", "Output", "PixelFormat", "Quality",
        "RetryPolicy", "Scale", "ScaleMode", "Tls", "Webhook",
    ),
    "telecine.request.overlays": ("ImageOverlay", "Position", "TextOverlay"),
    "telecine.request.sound": ("AudioFit", "Loudness", "Sound"),
    "telecine.sound.audio": ("Audio",),
    "telecine.results.values": (
        "Artifact", "Capabilities", "DamagedJob", "EncodeResult", "JobInfo", "JobState", "JobWarning",
        "OutputInfo", "OutputProgress", "OutputState", "Preview", "Problem", "Progress",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name in ("exceptions", "stages"):
        return import_module(f"telecine.{name}")
    if name == "__version__":
        return _version()
    if name not in _HOME_OF:
        raise AttributeError(f"module 'telecine' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("telecine")
    except PackageNotFoundError:
        return "0+unknown"  # a checkout that is not installed


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
