"""The graph shows who read whose outputs, as Mermaid and as DOT text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from telecine.stages import JobGraph, Stage, dot_text, make_graph, mermaid_text, read_job
from telecine.stages.reports.graph import GraphEdge, GraphNode

from tests.client.stages.job_of_stages import make_film, run_stage


def arrows(graph: JobGraph) -> set[tuple[str, str]]:
    labels = {node.id: node.label for node in graph.nodes}
    return {(labels[edge.source], labels[edge.target]) for edge in graph.edges}


def test_edges_lead_from_who_made_a_file_to_who_read_it(job_dir: Path) -> None:
    graph = make_graph(read_job(make_film(job_dir)))
    assert arrows(graph) == {
        ("in/film.mp4", "01 demux"),
        ("01 demux", "02 asr"),
        ("01 demux", "03 music"),
        ("02 asr", "04 translate"),
        ("01 demux", "05 mux"),
        ("03 music", "05 mux"),
        ("04 translate", "05 mux"),
    }
    (both,) = (edge for edge in graph.edges if len(edge.files) == 2)
    assert both.files == ("01_demux/video.h264", "01_demux/audio.wav")


def test_outputs_outside_of_the_job_and_inside_of_directories_are_joined_too(
    job_dir: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "shared.bin"
    outside.write_text("x")
    with Stage("frames", job_dir) as stage:
        stage.output_path("png/1.png").write_text("1")
        stage.track_output(stage.output_path("png"), "sequence")
        stage.track_output(outside, "model")
    with Stage("poster", job_dir) as stage:
        stage.track_input(stage.input_path("png/1.png", from_stage="frames"), "picture")
        stage.track_input(outside, "model")
    graph = make_graph(read_job(job_dir))
    (edge,) = graph.edges
    assert arrows(graph) == {("01 frames", "02 poster")}
    assert edge.files == ("01_frames/png/1.png", outside.as_posix())


def test_the_mermaid_text_names_every_node_and_edge(job_dir: Path) -> None:
    text = mermaid_text(make_graph(read_job(make_film(job_dir))))
    assert text.startswith("flowchart LR\n")
    assert re.search(r's1\["01 demux<br/>success, .*"\]:::success', text)
    assert 'f1(["in/film.mp4"]):::file' in text
    assert 's1 -- "video.h264<br/>audio.wav" --> s5' in text
    assert "f1 --> s1" in text
    assert "classDef success" in text


def test_names_cannot_break_the_drawings() -> None:
    evil = '"];x-->y <script>&`#\n'
    graph = JobGraph(evil, (
        GraphNode(id="f1", is_stage=False, label=evil),
        GraphNode(id="s1", is_stage=True, label="01 a", state="failed", duration_seconds=1.5),
    ), (GraphEdge(source="f1", target="s1", files=(evil,)),))  # fmt: skip
    mermaid = mermaid_text(graph)
    assert "<script>" not in mermaid
    assert '"];x' not in mermaid
    dot = dot_text(graph)
    assert r'label="\"];x-->y <script>&amp;`#"' in dot
    assert dot.count("->") == 4, "one edge, and the arrow in the title, the file's and the edge's label"


def test_a_backslash_at_the_end_of_a_name_does_not_escape_the_quote() -> None:
    graph = JobGraph("j", (GraphNode(id="f1", is_stage=False, label="a\\"),), ())
    assert r'f1 [label="a\\" fillcolor=' in dot_text(graph)


def test_the_dot_text_names_every_node_and_edge(job_dir: Path) -> None:
    graph = make_graph(read_job(make_film(job_dir)))
    text = dot_text(graph)
    assert text.startswith(f'digraph "stages of job {graph.job_id}" {{\n')
    assert re.search(r's1 \[label="01 demux\\nsuccess, .*" fillcolor="#dff3e4"', text)
    assert 'f1 [label="in/film.mp4"' in text
    assert r's1 -> s5 [label="video.h264\naudio.wav"];' in text
    assert 'f1 -> s1 [label=""];' in text


@pytest.mark.parametrize("name", ["demux", "asr"])
def test_a_stage_that_reads_its_own_files_points_at_nobody(job_dir: Path, name: str) -> None:
    run_stage(job_dir, name, {}, {"cache.bin": "x"})
    run_stage(job_dir, name, {"cache.bin": name}, {"cache.bin": "y"})
    assert make_graph(read_job(job_dir)).edges == ()
