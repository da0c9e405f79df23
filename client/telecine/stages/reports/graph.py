"""The dependency graph of a job: which stage read what another one made; as Mermaid and as DOT text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

import msgspec

from telecine.stages.manifest import InputFile, StageManifest
from telecine.stages.reports.reading import JobStages, StageRecord

_MAX_LABEL_FILES = 3


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """A stage, or a file from outside of the pipeline."""

    id: str
    """Unique in the graph: "s1", "f1"."""
    is_stage: bool
    label: str
    """The stage's number and name, or the file's path."""
    state: str = ""
    """Of a stage: how it stands."""
    duration_seconds: float | None = None
    """Of a stage that has a manifest."""


class GraphEdge(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody read what somebody made."""

    source: str
    """Id of the node that made it, or of the file."""
    target: str
    """Id of the stage that read it."""
    files: tuple[str, ...]
    """As manifests write paths; empty for a file's own node."""


class JobGraph(msgspec.Struct, frozen=True):
    """What `telecine stages graph --json` prints."""

    job_id: str
    nodes: tuple[GraphNode, ...]
    """Files first, then stages by number."""
    edges: tuple[GraphEdge, ...]


def make_graph(job: JobStages) -> JobGraph:
    """Joins inputs with the stage that made them: by the path of its output, else by its directory."""
    stages = {record.name: f"s{at}" for at, record in enumerate(job.stages, 1)}
    makers = _Makers(job.stages)
    files: dict[str, str] = {}
    read: dict[tuple[str, str], list[str]] = {}
    for record in job.stages:
        for entry in record.manifest.inputs if record.manifest is not None else ():
            maker = makers.of(entry)
            if maker == record.name:
                continue
            source = stages.get(maker) if maker is not None else None
            if source is None:
                source = files.setdefault(entry.path, f"f{len(files) + 1}")
                read.setdefault((source, stages[record.name]), [])
            else:
                read.setdefault((source, stages[record.name]), []).append(entry.path)
    file_nodes = (GraphNode(id=node, is_stage=False, label=path) for path, node in files.items())
    stage_nodes = (_stage_node(record, stages[record.name]) for record in job.stages)
    edges = (GraphEdge(source=a, target=b, files=tuple(paths)) for (a, b), paths in read.items())
    job_ids = [record.manifest.job_id for record in job.stages if record.manifest is not None]
    return JobGraph(job_ids[0] if job_ids else job.job_dir.name, (*file_nodes, *stage_nodes), tuple(edges))


class _Makers:
    """Says which stage made a file."""

    def __init__(self, records: Iterable[StageRecord]) -> None:
        self._by_path: dict[str, str] = {}
        for record in records:
            for output in record.manifest.outputs if record.manifest is not None else ():
                self._by_path[output.path] = record.name

    def of(self, entry: InputFile) -> str | None:
        """The stage's name; None: it came from outside."""
        path = PurePosixPath(entry.path)
        for each in (path, *path.parents):
            if (maker := self._by_path.get(str(each))) is not None:
                return maker
        return entry.from_stage


def _stage_node(record: StageRecord, node_id: str) -> GraphNode:
    manifest: StageManifest | None = record.manifest
    return GraphNode(
        id=node_id,
        is_stage=True,
        label=f"{record.directory.number:02d} {record.name}",
        state=str(record.state),
        duration_seconds=manifest.duration_seconds if manifest is not None else None,
    )


def _edge_label(edge: GraphEdge) -> list[str]:
    """The names of the files, as lines; of many, the first and how many more."""
    names = [PurePosixPath(path).name for path in edge.files]
    more = len(names) - _MAX_LABEL_FILES
    return names if more <= 0 else [*names[: _MAX_LABEL_FILES - 1], f"{more + 1} more files"]


def _node_lines(node: GraphNode) -> list[str]:
    """What stands in a node."""
    if not node.is_stage:
        return [node.label]
    took = f", {_seconds(node.duration_seconds)}" if node.duration_seconds is not None else ""
    return [node.label, f"{node.state}{took}"]


def mermaid_text(graph: JobGraph) -> str:
    """The graph as a Mermaid flowchart, which GitHub and many editors draw."""
    lines = ["flowchart LR"]
    for node in graph.nodes:
        text = "<br/>".join(_mermaid_quoted(line) for line in _node_lines(node))
        opening, closing = ("[", "]") if node.is_stage else ("([", "])")
        style = f":::{node.state}" if node.is_stage else ":::file"
        lines.append(f'    {node.id}{opening}"{text}"{closing}{style}')
    for edge in graph.edges:
        text = "<br/>".join(_mermaid_quoted(line) for line in _edge_label(edge))
        arrow = f'-- "{text}" -->' if text else "-->"
        lines.append(f"    {edge.source} {arrow} {edge.target}")
    used = {node.state if node.is_stage else "file" for node in graph.nodes}
    for name, colors in STATE_COLORS.items():
        if name in used:
            lines.append(f"    classDef {name} fill:{colors.fill},stroke:{colors.line},color:#1a1a1a")
    return "\n".join(lines) + "\n"


def dot_text(graph: JobGraph) -> str:
    """The graph in DOT, the language of Graphviz: `dot -Tsvg` draws it."""
    lines = [
        f"digraph {_dot_quoted([f'stages of job {graph.job_id}'])} {{",
        "    rankdir=LR; dpi=96;",
        '    node [shape=box style="rounded,filled" fontname="monospace" fontsize=12 fontcolor="#1a1a1a"];',
        '    edge [fontname="monospace" fontsize=11 color="#5b6573" fontcolor="#5b6573"];',
    ]
    for node in graph.nodes:
        colors = STATE_COLORS[node.state if node.is_stage else "file"]
        shape = "" if node.is_stage else " shape=ellipse style=filled"
        label = _dot_quoted(_node_lines(node))
        lines.append(f'    {node.id} [label={label} fillcolor="{colors.fill}" color="{colors.line}"{shape}];')
    lines += (
        f"    {edge.source} -> {edge.target} [label={_dot_quoted(_edge_label(edge))}];"
        for edge in graph.edges
    )
    return "\n".join([*lines, "}"]) + "\n"


class StateColors(msgspec.Struct, frozen=True):
    """How a node is coloured; text on it is dark."""

    fill: str
    line: str


STATE_COLORS = {
    "file": StateColors("#f4f4f4", "#8a8a8a"),
    "success": StateColors("#dff3e4", "#2e8b57"),
    "skipped": StateColors("#eceff3", "#7a8799"),
    "running": StateColors("#dcebfb", "#2b6cb0"),
    "failed": StateColors("#fbdede", "#c0392b"),
    "died": StateColors("#fbdede", "#c0392b"),
    "unknown": StateColors("#fdf2d0", "#b7860b"),
    "unreadable": StateColors("#fdf2d0", "#b7860b"),
}
"""By a stage's state, or "file"."""


def _mermaid_quoted(text: str) -> str:
    """Mermaid's own escapes; everything else that it could take for its syntax stands between quotes."""
    escapes = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(escapes.get(letter, letter) for letter in text if letter.isprintable())


def _dot_quoted(lines: Iterable[str]) -> str:
    """DOT's own escapes, and `&`, because Graphviz reads HTML's entities in every text."""
    escapes = {'"': '\\"', "\\": "\\\\", "&": "&amp;"}
    texts = (
        "".join(escapes.get(letter, letter) for letter in line if letter.isprintable()) for line in lines
    )
    return '"' + "\\n".join(texts) + '"'


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
