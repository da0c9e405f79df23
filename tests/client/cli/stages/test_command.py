"""`telecine stages` draws, checks and profiles a job directory, with exit codes that programs may rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from telecine.cli.app import run

from tests.client.cli.terminal_command import telecine
from tests.client.stages.job_of_stages import make_film


def document(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict]:
    exit_code = run(["stages", *map(str, arguments), "--json"])
    return exit_code, json.loads(capsys.readouterr().out)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film")


def test_a_complete_job_is_checked_with_exit_code_0(film: Path) -> None:
    ran = telecine("stages", "check", film)
    assert ran.exit_code == 0, ran.err
    assert "complete: 14 files of 5 stages hashed and compared" in ran.out


def test_findings_are_exit_code_1(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (film / "03_music" / "music.wav").unlink()
    exit_code, found = document(capsys, "check", film)
    assert (exit_code, found["is_complete"], found["stages"]["music"]) == (1, False, "success")
    codes = {(finding["code"], finding["stage"], finding["path"]) for finding in found["findings"]}
    assert codes == {
        ("MISSING_OUTPUT", "music", "03_music/music.wav"),
        ("MISSING_INPUT", "mux", "03_music/music.wav"),
    }
    assert run(["stages", "check", str(film)]) == 1
    assert "MISSING_OUTPUT (music) 03_music/music.wav: the manifest lists it" in capsys.readouterr().out


def test_a_directory_without_stages_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("check", "graph", "report"):
        exit_code, failure = document(capsys, command, tmp_path)
        assert exit_code == 2
        assert "no stage in" in failure["error"]["message"]
        assert failure["error"]["advice"]


def test_the_graph_goes_to_standard_output_or_a_file_in_the_form_that_its_name_says(film: Path) -> None:
    assert telecine("stages", "graph", film).out.startswith("flowchart LR\n")
    assert telecine("stages", "graph", film, "--format", "dot").out.startswith("digraph ")
    starts = {"g.mmd": b"flowchart LR", "g.dot": b"digraph "}
    for name, start in starts.items():
        ran = telecine("stages", "graph", film, "--out", film / name)
        assert ran.exit_code == 0, ran.err
        assert (film / name).read_bytes().startswith(start)


def test_the_graph_as_a_document_has_nodes_and_edges(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, graph = document(capsys, "graph", film)
    assert (exit_code, graph["job_id"]) == (0, "film")
    labels = {node["id"]: node["label"] for node in graph["nodes"]}
    edges = {(labels[edge["source"]], labels[edge["target"]]) for edge in graph["edges"]}
    assert ("03 music", "05 mux") in edges


def test_a_file_whose_form_is_unclear_is_wrong_usage(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, failure = document(capsys, "graph", film, "--out", film / "g.jpg")
    assert exit_code == 2
    assert ".png" in failure["error"]["advice"]


def test_the_report_profiles_one_job_or_compares_several(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_film(tmp_path / "other")
    exit_code, report = document(capsys, "report", film, other)
    assert exit_code == 0
    assert [job["job_id"] for job in report["jobs"]] == ["film", "other"]
    assert {row["stage"]: row["jobs"] for row in report["stages"]}["mux"] == 2
    assert run(["stages", "report", str(film)]) == 0
    text = capsys.readouterr().out
    assert "05 mux" in text
    assert "on the critical chain" in text
    assert run(["stages", "report", str(film), str(other)]) == 0
    assert "2 jobs" in capsys.readouterr().out
