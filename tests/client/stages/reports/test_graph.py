"""The graph shows who read whose outputs, in every form that it is drawn in."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from telecine.stages import JobGraph, Stage, make_graph, mermaid_text, read_job
from telecine.stages.reports.graph import GraphEdge, GraphNode
from telecine.stages.reports.graph_layout import Drawing, lay_out, shortened, text_pixels
from telecine.stages.reports.graph_png import png_bytes
from telecine.stages.reports.graph_svg import svg_text

from tests.client.stages.job_of_stages import make_film, run_stage

SVG = "{http://www.w3.org/2000/svg}"


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
    picture = ET.fromstring(svg_text(lay_out(graph), evil))
    assert '"];x-->y <script>&`#' in picture.findtext(f"{SVG}text", "")


def test_the_svg_draws_each_box_and_arrow_once(job_dir: Path) -> None:
    graph = make_graph(read_job(make_film(job_dir)))
    picture = ET.fromstring(svg_text(lay_out(graph), "a job"))
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    assert picture.findtext(f"{SVG}title") == "a job"
    for node in graph.nodes:
        assert texts.count(node.label) == 1
    assert len([p for p in picture.findall(f"{SVG}path") if p.get("marker-end")]) == len(graph.edges)


def test_the_png_is_the_same_drawing(job_dir: Path) -> None:
    drawing = lay_out(make_graph(read_job(make_film(job_dir))))
    with Image.open(io.BytesIO(png_bytes(drawing))) as picture:
        assert picture.size == (round(drawing.width * 4) // 2, round(drawing.height * 4) // 2)
        for box in drawing.boxes:
            inside = (round(2 * (box.x + 8)), round(2 * (box.y + 4)))
            assert "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel(inside)) == box.fill
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)


GRAPHS = st.builds(
    lambda count, pairs: JobGraph(
        "job",
        tuple(
            GraphNode(id=f"s{n}", is_stage=n % 4 != 0, label=f"{n:02d} stage", state="success")
            for n in range(count)
        ),
        tuple(
            GraphEdge(source=f"s{a % count}", target=f"s{b % count}", files=("x.bin",))
            for a, b in sorted({(a % count, b % count) for a, b in pairs})
        ),
    ),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=16),
)


@given(GRAPHS)
def test_boxes_never_overlap_and_arrows_lead_to_the_right(graph: JobGraph) -> None:
    drawing: Drawing = lay_out(graph)
    assert len(drawing.boxes) == len(graph.nodes)
    for at, box in enumerate(drawing.boxes):
        assert 0 < box.x < box.x + box.width < drawing.width
        assert 0 < box.y < box.y + box.height < drawing.height
        for other in drawing.boxes[at + 1 :]:
            is_apart = (
                box.x + box.width < other.x
                or other.x + other.width < box.x
                or box.y + box.height < other.y
                or other.y + other.height < box.y
            )
            assert is_apart
    for arrow in drawing.arrows:
        xs = [x for x, _ in arrow.points]
        assert xs == sorted(xs)
        assert xs[0] < xs[-1]


def test_long_names_are_shortened_and_wide_letters_are_counted() -> None:
    assert shortened("short") == "short"
    assert len(shortened("x" * 500)) == 44
    assert text_pixels(["日本"]) == text_pixels(["abcd"])


@pytest.mark.parametrize("name", ["demux", "asr"])
def test_a_stage_that_reads_its_own_files_points_at_nobody(job_dir: Path, name: str) -> None:
    run_stage(job_dir, name, {}, {"cache.bin": "x"})
    run_stage(job_dir, name, {"cache.bin": name}, {"cache.bin": "y"})
    assert make_graph(read_job(job_dir)).edges == ()
