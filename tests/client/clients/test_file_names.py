"""A file is called as its output, unless the caller names the file; never twice, and never elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import telecine
from telecine import Client, Output
from telecine.cli.app import run
from telecine.clients.embedded import EmbeddedServer
from telecine.testing import draw_clip

CLIP = draw_clip(4)
ALL = ("mp4", "webm", "mov", "mkv", "webp", "gif", "apng", "png", "contact_sheet")


def test_every_format_takes_the_name_and_disk_manifest_and_download_agree(
    tmp_path: Path, encoder: EmbeddedServer
) -> None:
    outputs = [Output(each, file_name="fox") for each in ALL if each != "contact_sheet"]
    outputs += [Output("contact_sheet", file_name="sheet"), Output("poster")]
    with Client(encoder.address) as client:
        result = client.encode(CLIP, fps=8, outputs=outputs, to=tmp_path / "out")
    made = {path.name for path in (tmp_path / "out").iterdir()} - {"manifest.json"}
    assert {"fox.mp4", "fox.webm", "fox.mov", "fox.mkv", "fox.webp", "fox.gif", "fox.png", "fox.zip"} <= made
    assert {"sheet.png", "poster.jpg"} <= made
    listed = {file["path"] for output in result.manifest["outputs"] for file in output["files"]}
    assert {path for path in listed if not path.startswith("frames/")} == made
    assert run(["verify", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize(
    "name", ["../fox", "a/b", ".fox", "x" * 65, "fox\0", "fox.mp4 ", "füchse", "con:fox", "-fox"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client, pytest.raises(telecine.TelecineError, match="file_name"):
        client.encode(CLIP, fps=8, outputs=Output("gif", file_name=name))


@pytest.mark.parametrize(
    "outputs",
    [
        [Output("mp4", name="a", file_name="fox"), Output("mp4", name="b", codec="hevc", file_name="fox")],
        [Output("mp4", name="fox"), Output("mp4", name="b", file_name="fox")],
        [Output("apng", file_name="fox"), Output("poster", file_name="fox")],
    ],
)
def test_two_outputs_cannot_be_one_file(outputs: list[Output], encoder: EmbeddedServer) -> None:
    with Client(encoder.address) as client, pytest.raises(telecine.TelecineError, match="another output"):
        client.encode(CLIP, fps=8, outputs=outputs)
