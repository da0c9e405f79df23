"""What the SDK refuses by itself names the wrong argument in `faults`, as a server does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import telecine
from telecine import Client, Output, TextOverlay
from telecine.logging import LogConfig, LogConfigError, configure_logging

FRAMES = np.zeros((2, 16, 16, 3), np.uint8)
WRONG: dict[str, Callable[[Client], Any]] = {
    "fps": lambda c: c.open_job(fps="x"),
    "outputs": lambda c: c.open_job(fps=8, outputs=None),  # type: ignore[arg-type]
    "audio": lambda c: c.open_job(fps=8, audio=1),  # type: ignore[call-arg]
    "job_id": lambda c: c.open_job(fps=8, job_id="a b"),
    "outputs[0].quality": lambda c: c.open_job(fps=8, outputs=Output("mp4", quality="ultra")),
    "outputs[0].alpha": lambda c: c.open_job(fps=8, outputs=Output("mp4", alpha="x")),
    "outputs[0].bit_rate": lambda c: c.open_job(fps=8, outputs=Output("mp4", bit_rate="lots")),
    "outputs[0].overlays[0].position": lambda c: c.open_job(
        fps=8, outputs=Output("mp4", overlays=[TextOverlay("x", position="nowhere")])
    ),
    "color.primaries": lambda c: c.open_job(fps=8, color=telecine.Color(primaries="x")),
    "convert_to": lambda c: c.open_job(fps=8, convert_to="nv12"),
    "layout": lambda c: c.open_job(fps=8, layout="XYZ"),
    "out_of_range": lambda c: c.open_job(fps=8, out_of_range="wrap"),
    "pixel_format": lambda c: c.open_job(fps=8, pixel_format="x"),
    "width": lambda c: c.open_job(fps=8, width=-1),
    "odd_size": lambda c: c.open_job(fps=8, odd_size="x"),
    "metadata": lambda c: c.open_job(fps=8, metadata=5),  # type: ignore[arg-type]
    "webhooks[0]": lambda c: c.open_job(fps=8, webhooks=[5]),  # type: ignore[list-item]
    "to": lambda c: c.encode(FRAMES, fps=8, to="/proc/x"),
    "states": lambda c: list(c.jobs(states=["x"])),
    "server": lambda _: Client("http://x:99999"),
}
FRAMES_THAT_ARE_NONE = {
    "a batch": [[FRAMES]],
    "nothing": None,
    "integers": FRAMES.astype(np.int64),
    "out of range": FRAMES.astype(np.float32) + 5,
    "seven channels": np.zeros((2, 16, 16, 7), np.uint8),
    "channels first": np.zeros((3, 8, 16, 16), np.uint8),
}


@pytest.fixture
def client() -> Client:
    return Client("127.0.0.1:1", retry=telecine.RetryPolicy(give_up_after_seconds=0))


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_argument_is_named(field: str, client: Client) -> None:
    with pytest.raises(telecine.TelecineError) as caught:
        WRONG[field](client)
    assert [fault.field for fault in caught.value.faults] == [field]
    assert field.rpartition(".")[2].partition("[")[0] in str(caught.value)


def test_both_ways_in_which_convert_to_contradicts_a_colour_are_named(client: Client) -> None:
    for color in (telecine.Color(matrix="bt709"), telecine.Color(primaries="bt2020")):
        with pytest.raises(telecine.TelecineError) as caught:
            client.open_job(fps=8, convert_to="yuv420p", color=color)
        assert [fault.field for fault in caught.value.faults] == ["convert_to"]


@pytest.mark.parametrize("kind", FRAMES_THAT_ARE_NONE)
def test_frames_that_cannot_be_taken_are_a_fault_of_frames(kind: str, client: Client) -> None:
    with pytest.raises(telecine.TelecineError) as caught:
        client.open_job(fps=8).push(FRAMES_THAT_ARE_NONE[kind])
    assert [(fault.field, fault.description) for fault in caught.value.faults] == [
        ("frames", str(caught.value))
    ]


def test_every_setting_of_logging_that_is_wrong_is_named(tmp_path: Path) -> None:
    config = LogConfig(service="a b", level="LOUD", file_backups=-1, directory=tmp_path, collector="x")
    with pytest.raises(LogConfigError) as caught:
        configure_logging(config)
    assert {fault.field for fault in caught.value.faults} == {"service", "level", "file_backups", "collector"}
