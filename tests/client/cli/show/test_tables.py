"""A table never breaks an id: on a narrow terminal it loses columns, or becomes a block of lines a row."""

from __future__ import annotations

import io
import uuid

import pytest
from telecine.cli.show.tables import HouseTable
from telecine.cli.show.terminal import _HouseConsole


def drawn(table: HouseTable, width: int, *, is_terminal: bool = True) -> list[str]:
    file = io.StringIO()
    console = _HouseConsole(file=file, width=width, force_terminal=is_terminal, color_system=None)
    console.print(table)
    return file.getvalue().splitlines()


def jobs(*ids: str, outputs: str = "mp4, webm") -> HouseTable:
    table = HouseTable(
        "job", "state", "frames", "received", "outputs", "created",
        numbers=("frames", "received"), whole=("job", "created"), spare=("created", "received"),
    )  # fmt: skip
    for job_id in ids:
        table.add_row(job_id, "[yellow]partially succeeded[/]", "480", "1.24 GB", outputs, "11-28 20:30")
    return table


UUID = uuid.UUID(int=7).hex


@pytest.mark.parametrize("width", [20, 40, 80, 100, 140, 200])
@pytest.mark.parametrize("job_id", [UUID, "a" * 128, "shot-0042"])
@pytest.mark.parametrize("outputs", ["mp4", "mp4, webm, webp, png, poster, contact_sheet"])
def test_an_id_stands_in_one_line_however_narrow_the_terminal(width: int, job_id: str, outputs: str) -> None:
    lines = drawn(jobs(job_id, outputs=outputs), width)
    assert sum(job_id in line for line in lines) == 1
    if len(job_id) <= width and width >= 80:
        assert max(map(len, lines)) <= width


def test_eighty_columns_hold_a_table_of_jobs() -> None:
    lines = drawn(jobs(UUID, UUID), 80)
    assert len(lines) == 3
    assert lines[0].split() == ["job", "state", "frames", "outputs"]
    assert "created" in drawn(jobs(UUID), 120)[0]


def test_a_pipe_gets_every_column_and_nothing_is_folded_or_padded() -> None:
    lines = drawn(jobs("a" * 300), 140, is_terminal=False)
    assert len(lines) == 2
    assert lines[1].endswith("mp4, webm  11-28 20:30")


def test_paths_in_text_are_not_broken_either() -> None:
    file = io.StringIO()
    _HouseConsole(file=file, width=40, force_terminal=True, color_system=None).print("in /" + "x" * 90)
    assert "/" + "x" * 90 in file.getvalue()
