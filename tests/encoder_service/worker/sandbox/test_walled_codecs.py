"""Codecs behind the walls make the very same files, and cannot open what strangers would have them open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from encoder_service.evidence.facts import Confinement, Produced, SandboxMode, Wall
from encoder_service.spec.audio.codecs import SOUND_FORMATS
from encoder_service.spec.audio.track import AudioSpec, SampleFormat
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.overlays.overlay import Overlay, Position, TextOverlay
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.spool.spool import Spool
from encoder_service.worker.sandbox import landlock, linux
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker_driver import WorkerDriver

pytestmark = pytest.mark.skipif(
    linux.column() is None or landlock.version() < 3, reason="the kernel has no Landlock to stand on"
)
FRAMES = 6
VIDEO = VideoSpec(64, 64, PixelFormat.RGB24, Rational(24))
AUDIO = AudioSpec(48_000, "stereo", SampleFormat.S16)
CODECS = [(row.name, codec) for row in FORMATS.values() for codec in row.codecs]


@pytest.fixture(scope="module")
def driver() -> Iterator[WorkerDriver]:
    """One zygote for all tests here."""
    with WorkerDriver() as driver:
        yield driver


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The job's frames, and its sound beside them with the checksums that a service writes."""
    path = tmp_path / "video.raw"
    path.write_bytes(gradient_clip(FRAMES, 64, 64).tobytes())
    noise = np.random.default_rng(2).integers(-9_000, 9_000, (FRAMES * 2_000, 2), np.int16)
    sound = Spool(tmp_path / "audio.raw", is_new=True)
    sound.append([noise.astype("<i2").tobytes()])
    sound.close()
    return path


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_a_file_is_the_same_with_walls_and_without(
    driver: WorkerDriver, tmp_path: Path, spool: Path, name: str, codec: str
) -> None:
    """With a text drawn over it, so that fonts are read too."""
    output = OutputSpec(
        "clip", name, codec=codec, overlays=(Overlay(TextOverlay(text="{frame}"), Position.BOTTOM_LEFT),)
    )
    hashes = []
    for mode in (SandboxMode.REQUIRED, SandboxMode.OFF):
        answer = driver.produce(
            VIDEO,
            output,
            spool,
            tmp_path / mode,
            FRAMES,
            confinement=Confinement(mode, memory_bytes=8 << 30),
            audio=AUDIO if name in SOUND_FORMATS else None,
        )
        assert isinstance(answer, Produced), answer
        assert (answer.sound is not None) == (name in SOUND_FORMATS)
        hashes.append([file.sha256 for file in answer.files])
        assert answer.walls is not None
        assert list(answer.walls.standing) == ([] if mode is SandboxMode.OFF else list(Wall))
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("codec", "key"),
    [("h264", "x264-params.dump-yuv"), ("hevc", "x265-params.csv"), ("hevc", "x265-params.analysis-save")],
)
def test_a_codec_that_is_had_to_write_elsewhere_cannot(
    driver: WorkerDriver, tmp_path: Path, spool: Path, codec: str, key: str
) -> None:
    """Even where the operator has allowed the option that names the file."""
    target = tmp_path / "stolen"
    option, _, name = key.partition(".")
    output = OutputSpec("clip", "mp4", codec=codec, options={option: f"{name}={target}"})
    encoder = {"h264": "libx264", "hevc": "libx265"}[codec]
    for mode in (SandboxMode.REQUIRED, SandboxMode.OFF):
        try:
            driver.produce(
                VIDEO,
                output,
                spool,
                tmp_path / mode,
                FRAMES,
                allowed_options={encoder: (key,)},
                confinement=Confinement(mode),
            )
        except EOFError:  # x265 does not survive a file that it cannot open
            driver.fork()
        assert target.exists() is (mode is SandboxMode.OFF)
