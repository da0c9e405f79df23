"""The public face of the SDK."""

from __future__ import annotations

import subprocess
import sys

import pytest
import telecine

PUBLIC = [
    "AlphaMode", "Artifact", "AsyncClient", "AsyncJob", "Audio", "AudioFit", "Capabilities", "Client",
    "Color",
    "DamagedJob", "EmbeddedServer", "EncodeResult", "ImageOverlay", "Job", "JobInfo", "JobState", "JobStory",
    "JobWarning", "KeepAlive", "LogClient", "LogFilter", "Loudness", "OddSizePolicy", "Output", "OutputInfo",
    "OutputProgress", "OutputState", "PixelFormat", "Position", "Preview", "Problem", "Progress", "Quality",
    "RetryPolicy", "SavedGeneration", "Scale", "ScaleMode", "Sound", "TelecineError", "TextOverlay", "Tls",
    "Webhook", "encode", "exceptions", "save_generation", "save_generation_async", "stages",
]  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert telecine.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(telecine, name).__doc__
    assert name in dir(telecine)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        telecine.Clinet  # noqa: B018 -- the look-up is the test


def imports(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_importing_the_sdk_is_light() -> None:
    loaded = imports("import telecine")
    assert not loaded & {"grpc", "numpy", "google.protobuf", "msgspec", "structlog"}


def test_the_client_loads_no_service_and_no_codec() -> None:
    loaded = imports("import telecine; telecine.Client; telecine.AsyncClient; telecine.encode")
    assert "grpc" in loaded
    assert not loaded & {"encoder_service", "log_collector", "service_host", "av", "PIL", "torch", "typer"}
