"""Where the artifacts go is checked before a frame is read; what fails later names the job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from telecine.clients.blocking import Client
from telecine.clients.embedded import EmbeddedServer
from telecine.clients.one_call import encode, save_generation
from telecine.exceptions import InvalidRequestError, TargetError, TelecineError
from telecine.results.target import directory_of, writing


@pytest.mark.parametrize("to", ["", b"x", 5, "a\0b", "~no-such-user-here/x", "result.mp4", "out/clip.WEBM"])
def test_what_is_no_directory_is_refused_by_its_name(to: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"^to is"):
        directory_of(to)


def test_a_directory_that_cannot_be_made_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "result"
    file.touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone" / "away")
    for to in (file, file / "below", tmp_path / ("x" * 300), Path("/proc/x"), tmp_path / "dangling"):
        with pytest.raises(TargetError, match=r"to is .*cannot be used") as caught:
            directory_of(to)
        assert caught.value.faults[0].field == "to"
        assert isinstance(caught.value, OSError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "result"]
    assert directory_of(tmp_path / "new" / "deep") == tmp_path / "new" / "deep"
    assert not (tmp_path / "new").exists()
    (tmp_path / "clip.mp4").mkdir()
    assert directory_of(str(tmp_path / "clip.mp4")) == tmp_path / "clip.mp4"


def test_the_home_directory_is_meant_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert directory_of("~/clips") == tmp_path / "clips"


def test_no_frame_is_read_for_a_target_that_cannot_be_used(encoder: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    read: list[int] = []

    def frames() -> Iterator[np.ndarray]:
        read.append(1)
        yield np.zeros((16, 16, 3), np.uint8)

    to = tmp_path / "file"
    with Client(encoder.address) as client:
        calls = [
            lambda: encode(frames(), fps=5, to=to, server=encoder.address),
            lambda: client.encode(frames(), fps=5, to=to),
            lambda: client.wait("unknown", to),
            lambda: save_generation(frames(), base_dir=to, server=encoder.address),
        ]
        for call in calls:
            with pytest.raises(TargetError):
                call()
    assert not read


def test_a_job_whose_files_cannot_be_written_is_named(encoder: EmbeddedServer, tmp_path: Path) -> None:
    to = tmp_path / "out"
    (to / "mp4.mp4.part").mkdir(parents=True)
    with Client(encoder.address) as client:
        with pytest.raises(TargetError, match="job j-target") as caught:
            client.encode(np.zeros((1, 16, 16, 3), np.uint8), fps=5, to=to, job_id="j-target")
        assert caught.value.job_id == "j-target"
        assert 'Client.wait("j-target"' in caught.value.recovery
        assert client.wait("j-target", tmp_path / "other")["mp4"].local_path == tmp_path / "other" / "mp4.mp4"


def test_errors_of_the_disk_are_kept_as_the_cause() -> None:
    with pytest.raises(TargetError, match="No space left") as caught, writing(Path("/x"), "j"):
        raise OSError(28, "No space left on device", "/x/a.mp4")
    assert isinstance(caught.value.__cause__, OSError)


def test_frames_that_are_refused_name_the_job_too(encoder: EmbeddedServer) -> None:
    frames = [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 18, 3), np.uint8)]
    with Client(encoder.address) as client, pytest.raises(TelecineError) as caught:
        client.encode(frames, fps=5, job_id="j-frames")
    assert caught.value.job_id == "j-frames"
