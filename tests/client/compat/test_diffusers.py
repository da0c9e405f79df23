"""The stand-ins for diffusers' export functions: what goes in, what comes out, when they step back.

Where diffusers is not installed its two modules are played by ones with the recorded signatures of 0.42.1.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import telecine.compat.diffusers as t
from PIL import Image
from telecine.clients.embedded import EmbeddedServer
from telecine.compat.fallback import CompatWarning
from telecine.exceptions import InvalidFramesError, InvalidRequestError, TelecineError
from telecine.results.destination import beside

from encoder_service.worker.verification.verify import verify

RAMP = np.linspace(0.0, 1.0, 5 * 34 * 50 * 3, dtype=np.float32).reshape(5, 34, 50, 3)
CODES = np.rint(RAMP * 255).astype(np.uint8)


def _export_to_video(
    video_frames, output_video_path=None, fps=10, quality=5.0, bitrate=None, macro_block_size=16
):
    return "the original"


def _export_to_gif(image, output_gif_path=None, fps=10):
    return "the original"


def _encode_video(video, fps, output_path, audio=None, audio_sample_rate=None, video_chunks_number=1):
    return None


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """`diffusers.utils` and `diffusers.utils.export_utils`, as far as they matter."""
    package, utils, exports = (
        types.ModuleType(name) for name in ("diffusers", "diffusers.utils", "diffusers.utils.export_utils")
    )
    for module in (utils, exports):
        vars(module).update(
            export_to_video=_export_to_video, export_to_gif=_export_to_gif, encode_video=_encode_video
        )
    for module in (package, utils, exports):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delattr(sys.modules[__name__], "_export_to_video")  # else it counts as bound before
    monkeypatch.delattr(sys.modules[__name__], "_export_to_gif")
    monkeypatch.delattr(sys.modules[__name__], "_encode_video")
    yield utils, exports
    t.uninstall()
    t._settings.server, t._settings.is_strict = None, False


@pytest.fixture
def direct(encoder: EmbeddedServer) -> Iterator[None]:
    t._settings.server = encoder.address
    yield
    t._settings.server, t._settings.is_strict = None, False


def _decoded(path: str | Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.usefixtures("direct")
@pytest.mark.parametrize(
    "frames",
    [
        RAMP, list(RAMP), CODES, [Image.fromarray(frame) for frame in CODES],
        [[Image.fromarray(frame) for frame in CODES]], RAMP[None], [RAMP], RAMP.transpose(0, 3, 1, 2),
    ],
    ids=["floats", "list", "codes", "images", "nested", "batch", "list of clips", "channels first"],
)  # fmt: skip
def test_every_shape_that_pipelines_return_becomes_the_same_file(frames: Any, tmp_path: Path) -> None:
    to = str(tmp_path / "clip.mp4")
    assert t.export_to_video(frames, to, fps=8, quality=10) == to
    assert verify(Path(to)).findings == ()
    shown = _decoded(to)
    assert shown.shape == CODES.shape, "nothing is scaled"
    assert np.abs(shown.astype(int) - CODES).mean() < 2


@pytest.mark.usefixtures("direct")
def test_a_call_that_fails_leaves_the_clips_of_other_threads_alone(tmp_path: Path) -> None:
    """They share a client, which the failing call had closed."""
    has_begun, has_failed = threading.Event(), threading.Event()

    def slow() -> Iterator[np.ndarray]:
        yield CODES[0]
        has_begun.set()
        assert has_failed.wait(20)
        yield from CODES[1:]

    with ThreadPoolExecutor(1) as pool:
        exported = pool.submit(t.export_to_video, slow(), str(tmp_path / "clip.mp4"))
        assert has_begun.wait(20)
        with pytest.raises(InvalidFramesError):
            t.export_to_video(CODES[:, :, :, :2], str(tmp_path / "other.mp4"))
        has_failed.set()
        assert len(_decoded(exported.result(30))) == len(CODES)


@pytest.mark.usefixtures("direct")
def test_without_a_name_the_file_is_a_temporary_one() -> None:
    for path in (t.export_to_video(CODES), t.export_to_gif([Image.fromarray(frame) for frame in CODES])):
        assert len(_decoded(path)) == len(CODES)
        assert verify(Path(path)).is_sound
        Path(path).unlink()
        beside(Path(path)).unlink()


@pytest.mark.usefixtures("direct")
def test_quality_and_bit_rate_are_those_of_imageio(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
    sizes = [
        Path(t.export_to_video(noise, str(tmp_path / f"{quality}.mp4"), quality=quality)).stat().st_size
        for quality in (0, 5, 10)
    ]
    assert sizes == sorted(set(sizes))
    t.export_to_video(noise, str(tmp_path / "rate.mp4"), bitrate=200_000)
    assert b'"bit_rate":200000' in beside(tmp_path / "rate.mp4").read_bytes().replace(b" ", b"")


@pytest.mark.usefixtures("direct")
@pytest.mark.parametrize("shape", [(8000,), (1, 8000), (2, 8000), (8000, 2)])
def test_sound_is_stereo_whichever_way_it_lies(shape: tuple[int, ...], tmp_path: Path) -> None:
    to = str(tmp_path / "clip.mp4")
    sound = np.sin(np.linspace(0, 800, 8000, dtype=np.float32)) / 2
    values = np.broadcast_to(sound[:, None] if shape[-1] == 2 else sound, shape)
    assert t.encode_video(iter([CODES[:2], CODES[2:]]), 5, to, values, 8000) is None
    with av.open(to) as container:
        track = container.streams.audio[0]
        assert (track.channels, track.sample_rate) == (2, 8000)
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert np.allclose(heard[0], heard[1], atol=0.02)
    assert np.abs(heard[0][1000:7000] - sound[1000:7000]).mean() < 0.05
    assert verify(Path(to)).is_sound


@pytest.mark.usefixtures("direct")
def test_what_the_originals_refuse_is_refused_alike(tmp_path: Path) -> None:
    to = str(tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="audio_sample_rate is required"):
        t.encode_video(CODES, 5, to, np.zeros(8))
    with pytest.raises(ValueError, match="2 channels"):
        t.encode_video(CODES, 5, to, np.zeros((3, 800), np.float32), 8000)
    with pytest.raises(InvalidFramesError, match="batch of 2"):
        t.export_to_video(np.stack([RAMP, RAMP]), to)
    for name in ("clip", "clip.avi", str(tmp_path)):
        with pytest.raises(InvalidRequestError):
            t.export_to_video(RAMP, name)
    with pytest.warns(CompatWarning, match="COMPAT_VALUES_AS_CODES"):
        t.encode_video(CODES.astype(np.float32), 5, to)
    assert np.abs(_decoded(to).astype(int) - CODES).mean() < 3


def test_both_import_paths_are_patched_and_put_back(
    played: tuple[Any, Any], encoder: EmbeddedServer, tmp_path: Path
) -> None:
    assert t.install(encoder.address) is True
    assert t.install(encoder.address) is True
    for number, module in enumerate(played):
        path = str(tmp_path / f"{number}.mp4")
        assert module.export_to_video(list(RAMP), path, fps=8) == path
        assert verify(Path(path)).is_sound
    t.uninstall()
    t.uninstall()
    assert [module.export_to_video(RAMP) for module in played] == ["the original"] * 2


def test_a_name_that_was_bound_before_is_named(
    played: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = types.ModuleType("users_script")
    vars(script)["save"] = played[0].export_to_video
    monkeypatch.setitem(sys.modules, "users_script", script)
    with pytest.warns(CompatWarning, match="COMPAT_BOUND_BEFORE: users_script.save keeps the original"):
        t.install()


def test_only_a_warning_leads_back_to_the_original_and_never_where_strict(
    played: tuple[Any, Any], encoder: EmbeddedServer, tmp_path: Path
) -> None:
    t.install(encoder.address)
    with pytest.warns(CompatWarning, match="COMPAT_FELL_BACK") as caught:
        assert played[0].export_to_video(RAMP, str(tmp_path / "clip.avi")) == "the original"
    assert caught[0].filename == __file__
    with pytest.raises(TelecineError):  # what it was given is used up
        played[0].encode_video(iter([RAMP]), 5, str(tmp_path / "clip.avi"))
    t.install(encoder.address, strict=True)
    with pytest.raises(TelecineError):
        played[0].export_to_video(RAMP, str(tmp_path / "clip.avi"))
    with pytest.raises(TelecineError):
        played[0].export_to_video(RAMP * 2, str(tmp_path / "clip.mp4"))


def test_functions_of_another_version_stay_as_they_are(played: tuple[Any, Any]) -> None:
    def export_to_video(video_frames, path):
        return "newer"

    for module in played:
        module.export_to_video = export_to_video
    with pytest.warns(CompatWarning, match="COMPAT_UNKNOWN_SIGNATURE"):
        assert t.install() is False
    assert played[0].export_to_video(RAMP, "x") == "newer"
    t.uninstall()
    with pytest.raises(ImportError):
        t.install(strict=True)


def test_nothing_is_imported_or_raised_where_diffusers_is_missing_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "diffusers").mkdir()
    (tmp_path / "diffusers" / "__init__.py").write_text("raise RuntimeError('broken')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.warns(CompatWarning, match="COMPAT_NOT_INSTALLED.*broken"):
        assert t.install() is False
    with pytest.raises(ImportError):
        t.install(strict=True)
    t._settings.is_strict = False
    code = "import sys, telecine.compat.diffusers; print(sorted({'diffusers', 'torch'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_telecine_itself_imports_no_stand_in() -> None:
    code = (
        "import sys, telecine; telecine.Client; telecine.encode;"
        "print([m for m in sys.modules if m.startswith('telecine.compat')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
