"""The functions of vLLM-Omni and SGLang that are wrapped, as their wheels have them (`make compat`).

Their packages pin CUDA builds of torch and are installed without what they need: the files are read, and what
they import beside numpy and av is played.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import io
import logging
import sys
import types
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from telecine.clients.embedded import EmbeddedServer

pytestmark = pytest.mark.compat
_VLLM = "vllm_omni.diffusion.utils.media_utils"
CODES = (
    np.stack(np.broadcast_arrays(*np.ogrid[0:160, 0:250], 90), axis=-1).astype(np.uint8)[None].repeat(6, 0)
)


def _file_of(package: str, path: str) -> Path:
    return Path(str(distribution(package).locate_file(path)))


@pytest.fixture
def media_utils(monkeypatch: pytest.MonkeyPatch) -> Any:
    logger = types.ModuleType("vllm.logger")
    vars(logger)["init_logger"] = logging.getLogger
    monkeypatch.setitem(sys.modules, "vllm", types.ModuleType("vllm"))
    monkeypatch.setitem(sys.modules, "vllm.logger", logger)
    parts = _VLLM.split(".")
    for count in range(1, len(parts)):
        name = ".".join(parts[:count])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    spec = importlib.util.spec_from_file_location(
        _VLLM, _file_of("vllm-omni", _VLLM.replace(".", "/") + ".py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, _VLLM, module)
    spec.loader.exec_module(module)
    return module


def _shown(data: bytes) -> tuple[np.ndarray, Any, int]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        return frames, stream.average_rate, container.streams.audio[0].sample_rate


def test_vllm_finds_us_and_gets_what_its_own_function_makes(
    media_utils: Any, encoder: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = media_utils.mux_video_audio_bytes
    monkeypatch.setenv("TELECINE_SERVER", encoder.address)
    (found,) = [each for each in entry_points(group="vllm_omni.general_plugins") if each.name == "telecine"]
    assert found.load()() is True
    assert media_utils.mux_video_audio_bytes is not original
    sound = np.sin(np.linspace(0, 3000, 24_000, dtype=np.float32)) / 2
    ours, theirs = (
        _shown(function(CODES, sound, fps=24.0, audio_sample_rate=24_000))
        for function in (media_utils.mux_video_audio_bytes, original)
    )
    assert (ours[0].shape, ours[1:]) == (theirs[0].shape, theirs[1:])
    assert np.abs(ours[0].astype(int) - CODES).mean() < 3


def test_sglang_has_the_function_that_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TELECINE_SERVER", raising=False)
    from telecine.compat import sglang_diffusion

    source = _file_of("sglang", sglang_diffusion._MODULE.replace(".", "/") + ".py").read_text()
    (found,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "save_materialized_output"
    ]
    names = [each.arg for each in (*found.args.args, *found.args.kwonlyargs)]
    assert names == list(inspect.signature(sglang_diffusion.save_materialized_output).parameters)
