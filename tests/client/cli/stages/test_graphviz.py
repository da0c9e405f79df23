"""Pictures of a graph are drawn by Graphviz where it is installed; elsewhere one error says what to do."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telecine.cli.app import run
from telecine.cli.stages import graphviz
from telecine.cli.stages.graphviz import draw
from telecine.stages import JobGraph, dot_text, make_graph, read_job
from telecine.stages.reports.graph import GraphEdge, GraphNode

from tests.client.stages.job_of_stages import make_film

SVG = "{http://www.w3.org/2000/svg}"

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make_film(tmp_path / "film")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory in which programs are looked for; empty."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def failure_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, str]]:
    exit_code = run(["stages", "graph", *map(str, arguments), "--json"])
    return exit_code, json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_without_graphviz_a_picture_is_one_error_that_names_what_to_install_and_what_works(
    film: Path, programs: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    out = film / f"g.{ending}"
    exit_code, failure = failure_of(capsys, film, "--out", out)
    assert exit_code == 3
    assert "`dot` is not installed" in failure["message"]
    assert "graphviz" in failure["advice"]
    assert ".mmd" in failure["advice"]
    assert not out.exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho 'Error: out of paper' >&2; exit 3\n", "ended with code 3: Error: out of paper"),
        ("#!/bin/sh\nexit 0\n", "ended with code 0"),
        ("#!/nowhere/sh\n", "cannot be started"),
        ("#!/bin/sh\nwhile :; do :; done\n", "within 0.2 seconds"),
    ],
)
def test_a_graphviz_that_fails_is_reported_with_what_it_said(
    film: Path, programs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    script: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(graphviz, "_LIMIT_SECONDS", 0.2 if "while" in script else 20)
    (programs / "dot").write_text(script)
    (programs / "dot").chmod(0o755)
    exit_code, failure = failure_of(capsys, film, "--out", film / "g.svg")
    assert exit_code == 3
    assert said in failure["message"]
    assert not (film / "g.svg").exists()


@needs_graphviz
def test_a_picture_shows_each_label_once(film: Path) -> None:
    graph = make_graph(read_job(film))
    picture = ET.fromstring(draw(dot_text(graph), "svg"))
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    assert all(texts.count(node.label) == 1 for node in graph.nodes)


@needs_graphviz
def test_the_ending_of_the_file_chooses_the_kind_of_picture(film: Path) -> None:
    for name, start in {"g.svg": b"<?xml ", "g.png": b"\x89PNG"}.items():
        assert run(["stages", "graph", str(film), "--out", str(film / name)]) == 0
        assert (film / name).read_bytes().startswith(start)


GRAPHS = st.builds(
    lambda labels, pairs: JobGraph(
        labels[0],
        tuple(
            GraphNode(id=f"s{n}", is_stage=n % 4 != 0, label=label, state="success")
            for n, label in enumerate(labels)
        ),
        tuple(
            GraphEdge(source=f"s{a}", target=f"s{b}", files=(labels[a],))
            for a, b in sorted({(a % len(labels), b % len(labels)) for a, b in pairs})
        ),
    ),
    st.lists(st.text(max_size=20), min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=16),
)


@needs_graphviz
@settings(max_examples=20, deadline=None)
@given(GRAPHS)
def test_graphviz_draws_whatever_files_and_stages_are_called(graph: JobGraph) -> None:
    picture = ET.fromstring(draw(dot_text(graph), "svg"))
    drawn = [group.get("class") for group in picture.iter(f"{SVG}g")]
    assert drawn.count("node") == len(graph.nodes)
    assert drawn.count("edge") == len(graph.edges)
