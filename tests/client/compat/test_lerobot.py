"""Episodes of a robot: every frame that is fed is in the file, at its exact time, and quick to seek."""

from __future__ import annotations

import sys
import types
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import telecine.compat.lerobot as t
from telecine.clients.embedded import EmbeddedServer
from telecine.compat.fallback import CompatWarning
from telecine.compat.lerobot import StreamingVideoEncoder
from telecine.exceptions import InvalidFramesError

from encoder_service.worker.verification.verify import verify

CAMERAS = ["observation.images.wrist", "observation/images/top"]


def _frame(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 20 + 8 * number, np.uint8)


def _read(path: Path) -> tuple[list[Fraction], list[bool], list[int]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        container.seek(0)
        frames = list(container.decode(stream))
    times = [frame.pts * frame.time_base for frame in frames]
    return times, [packet.is_keyframe for packet in packets], [
        int(frame.to_ndarray(format="gray").mean()) for frame in frames
    ]  # fmt: skip


@pytest.mark.parametrize("codec", ["h264", "libsvtav1"])
def test_frames_in_are_frames_out_at_their_exact_times(
    codec: str, encoder: EmbeddedServer, tmp_path: Path
) -> None:
    made = StreamingVideoEncoder(30, codec, server=encoder.address, manifests=tmp_path / "manifests")
    made.start_episode(CAMERAS, tmp_path)
    image = np.empty((48, 64, 3), np.uint8)
    for number in range(11):
        image[:] = _frame(number)
        made.feed_frame(CAMERAS[0], image)
        made.feed_frame(CAMERAS[1], (image / 255).astype(np.float32).transpose(2, 0, 1))
        image[:] = 0  # a driver's buffer is used again
    found = made.finish_episode()
    for path, _statistics in found.values():
        assert verify(path).is_sound
        times, keys, levels = _read(path)
        assert times == [Fraction(number, 30) for number in range(11)]
        assert keys == [number % 2 == 0 for number in range(11)]
        assert levels == sorted(set(levels)), "each frame is there, in order"
    assert [result.job.total_frames for result in made.results.values()] == [11, 11]
    assert len(list((tmp_path / "manifests").iterdir())) == 2
    assert set(made.waited_seconds) == set(CAMERAS)
    made.close()


def test_many_small_episodes_follow_one_another(encoder: EmbeddedServer, tmp_path: Path) -> None:
    made = StreamingVideoEncoder(30, "h264", server=encoder.address)
    for episode in range(12):
        made.start_episode(CAMERAS[:1], tmp_path)
        for number in range(1 + episode % 3):
            made.feed_frame(CAMERAS[0], _frame(number))
        ((path, _),) = made.finish_episode().values()
        assert len(_read(path)[0]) == 1 + episode % 3


def test_an_episode_that_is_cancelled_or_empty_leaves_nothing(
    encoder: EmbeddedServer, tmp_path: Path
) -> None:
    made = StreamingVideoEncoder(30, "h264", server=encoder.address)
    with pytest.raises(RuntimeError, match="No active episode"):
        made.feed_frame(CAMERAS[0], _frame(0))
    with pytest.raises(RuntimeError, match="No active episode"):
        made.finish_episode()
    made.start_episode(CAMERAS, tmp_path)
    made.feed_frame(CAMERAS[0], _frame(0))
    made.start_episode(CAMERAS, tmp_path)  # as the original: the former one is cancelled
    assert [statistics for _, statistics in made.finish_episode().values()] == [None, None]
    made.start_episode(CAMERAS, tmp_path)
    made.feed_frame(CAMERAS[0], _frame(0))
    with pytest.raises(InvalidFramesError):
        made.feed_frame(CAMERAS[0], _frame(0)[:20])
    made.close()
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_our_class_stands_where_lerobot_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(CompatWarning, match="COMPAT_NOT_INSTALLED"):
        assert t.install() is False
    original = type("StreamingVideoEncoder", (), dict.fromkeys(t._METHODS))
    homes = [types.ModuleType(name) for name in ("lerobot", "lerobot.datasets", *t._HOMES)]
    for home in homes:
        monkeypatch.setitem(sys.modules, home.__name__, home)
        vars(home)["StreamingVideoEncoder"] = original
    with pytest.warns(CompatWarning, match=r"COMPAT_BOUND_BEFORE: lerobot.StreamingVideoEncoder"):
        assert t.install("somewhere:1") is True
    assert [home.StreamingVideoEncoder for home in homes[2:]] == [StreamingVideoEncoder] * 2
    assert t.install() is True
    for home in homes[2:]:
        vars(home)["StreamingVideoEncoder"] = object
    with pytest.warns(CompatWarning, match="COMPAT_UNKNOWN_SIGNATURE"):
        assert t.install() is False
