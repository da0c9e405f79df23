"""Plug-ins of serving frameworks: off without an address, one line at the start, never in the way.

The frameworks' modules are played by ones with the recorded signatures of vLLM-Omni 0.30.0 and SGLang 0.5.23;
`test_real_serving` has the functions themselves.
"""

from __future__ import annotations

import importlib
import io
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from telecine.clients.embedded import EmbeddedServer
from telecine.compat import serving, vllm_omni
from telecine.compat.fallback import CompatWarning
from telecine.exceptions import TelecineError

from encoder_service.worker.verification.verify import verify

VLLM = "vllm_omni.diffusion.utils.media_utils"
SGLANG = "sglang.multimodal_gen.runtime.entrypoints.utils"
FRAMES = np.full((5, 32, 48, 3), 90, np.uint8)
SOUND = np.sin(np.linspace(0, 900, 12_000, dtype=np.float32)) / 2


def _mux_video_audio_bytes(
    video_frames, audio_waveform=None, *, fps=25.0, audio_sample_rate=44100, video_codec="h264",
    audio_codec="aac", crf="18", video_codec_options=None,
):  # fmt: skip
    return b"the original"


def _save_materialized_output(
    materialized, data_type, save_file_path, *, save_output=True, return_image_bytes=False,
    audio_sample_rate=None, output_compression=None, x264_preset=None,
):  # fmt: skip
    return b"the original"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes a module of that dotted name with these functions."""

    def make(name: str, **functions: Any) -> Any:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            module = types.ModuleType(".".join(parts[:count]))
            monkeypatch.setitem(sys.modules, module.__name__, module)
        vars(module).update(functions)
        return module

    return make


def _tracks(source: Any) -> tuple[int, int]:
    with av.open(source) as container:
        sounds = container.streams.audio
        return sum(1 for _ in container.decode(video=0)), sounds[0].channels if sounds else 0


def _sglang() -> Any:
    sys.modules.pop("telecine.compat.sglang_diffusion", None)
    return importlib.import_module("telecine.compat.sglang_diffusion")


def test_without_an_address_or_a_framework_they_are_off_and_say_so(
    play: Callable[..., Any], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TELECINE_SERVER", raising=False)
    home = play(VLLM, mux_video_audio_bytes=_mux_video_audio_bytes)
    assert vllm_omni.activate() is False
    assert home.mux_video_audio_bytes is _mux_video_audio_bytes
    monkeypatch.setenv("TELECINE_SERVER", "127.0.0.1:1")
    home.mux_video_audio_bytes = lambda frames: b"newer"
    assert vllm_omni.activate() is False
    del home.mux_video_audio_bytes
    assert vllm_omni.activate() is False
    assert _sglang().activate() is False
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(": off: ")[0] for line in lines] == [
        *["telecine for vLLM-Omni"] * 3, *["telecine for SGLang"] * 2,
    ]  # fmt: skip
    assert ["TELECINE_SERVER" in lines[0], "other parameters" in lines[1], "No module" in lines[3]] == [
        True
    ] * 3


@pytest.mark.parametrize("shape", [None, (12_000,), (12_000, 1), (2, 12_000), (12_000, 2), (1, 2, 12_000)])
def test_vllm_gets_the_bytes_of_a_clip(
    shape: tuple[int, ...] | None,
    play: Callable[..., Any],
    encoder: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    home = play(VLLM, mux_video_audio_bytes=_mux_video_audio_bytes)
    monkeypatch.setenv("TELECINE_SERVER", encoder.address)
    assert vllm_omni.activate() is vllm_omni.activate() is True
    assert f"active: mux_video_audio_bytes encode on {encoder.address}" in capfd.readouterr().err
    sound = None if shape is None else np.resize(SOUND, shape)
    made = home.mux_video_audio_bytes(
        FRAMES,
        sound,
        fps=10.0,
        audio_sample_rate=24_000,
        video_codec_options={"preset": "veryfast", "g": "2"},
    )
    assert _tracks(io.BytesIO(made)) == (5, 0 if shape is None else 2 if 2 in shape else 1)


def test_what_fails_goes_to_the_original_with_a_warning_and_never_where_strict(
    play: Callable[..., Any], encoder: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = play(VLLM, mux_video_audio_bytes=_mux_video_audio_bytes)
    monkeypatch.setenv("TELECINE_SERVER", encoder.address)
    vllm_omni.activate()
    with pytest.warns(CompatWarning, match="COMPAT_FELL_BACK"):
        assert home.mux_video_audio_bytes(FRAMES, np.zeros((3, 800), np.float32)) == b"the original"
    monkeypatch.setenv(serving.STRICT, "1")
    with pytest.raises(TelecineError):
        home.mux_video_audio_bytes(FRAMES, video_codec="nonsense")


def test_sglang_saves_videos_by_the_server_and_pictures_itself(
    play: Callable[..., Any], encoder: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = play(SGLANG, save_materialized_output=_save_materialized_output)
    monkeypatch.setenv("TELECINE_SERVER", encoder.address)
    assert _sglang().activate() is True
    save = home.save_materialized_output
    made = types.SimpleNamespace(frames=list(FRAMES), fps=10, audio=np.stack([SOUND, SOUND]))
    video = types.SimpleNamespace(name="VIDEO")
    to = tmp_path / "deep" / "clip.mp4"
    assert save(made, video, str(to), audio_sample_rate=24_000, x264_preset="veryfast") is None
    assert _tracks(str(to)) == (5, 2)
    assert verify(to).is_sound
    assert save(made, types.SimpleNamespace(name="IMAGE"), str(tmp_path / "a.png")) == b"the original"
    assert save(made, video, str(to), save_output=False) == b"the original"
    with pytest.warns(CompatWarning, match="not guessed"):
        assert save(made, video, str(tmp_path / "b.mp4")) == b"the original"
