"""Lays a job's graph out for drawing: columns from left to right, edges around the boxes that they pass.

The layered method of Sugiyama, Tagawa and Toda (1981) at its simplest: a column for each step of the longest
chain, invisible places where an edge passes a column, and an order in each column by the mean place of what
a node reads from.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable

import msgspec

from telecine.stages.reports.graph import STATE_COLORS, GraphEdge, GraphNode, JobGraph, edge_label, node_lines

FONT_PIXELS = 12
LINE_PIXELS = 16
_LETTER_PIXELS = 7.3
"""Of a monospaced font of that size."""
_PADDING = 12
_ROW_GAP = 26
_COLUMN_GAP = 56
_MARGIN = 20
_TIP_ROOM = 16
_LABEL_ROOM = 8
"""Between a label and the tip, or the beginning, of its arrow."""
_MAX_LETTERS = 44
_SWEEPS = 4

Point = tuple[float, float]


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A node, in pixels."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    """The first one is set bold for a stage."""
    fill: str
    line: str
    is_stage: bool


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """An edge, in pixels: cubic curves one after the other, each leaving and arriving level."""

    points: tuple[Point, ...]
    """Where it begins, passes and ends."""
    label: tuple[str, ...]
    label_at: Point
    """The middle of the label."""


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything to draw."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


class _Place:
    """Somewhere in a column: a node, or where an edge passes."""

    def __init__(self, node: GraphNode | None, column: int, label: list[str] | None = None) -> None:
        """`label` is that of the edge which passes."""
        self.node = node
        self.column = column
        self.lines = tuple(shortened(line) for line in node_lines(node)) if node is not None else ()
        self.width = text_pixels(self.lines) + 2 * _PADDING if node is not None else 0.0
        self.height = LINE_PIXELS * len(self.lines if node is not None else label or ())
        self.height += _PADDING if node is not None else 0
        self.sources: list[_Place] = []
        self.targets: list[_Place] = []
        self.x = self.y = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def lay_out(graph: JobGraph) -> Drawing:
    """Gives every node and edge its place."""
    edges = _without_circles(graph)
    columns_of = _columns(graph, edges)
    places = {node.id: _Place(node, columns_of[node.id]) for node in graph.nodes}
    everything = list(places.values())
    chains: list[tuple[GraphEdge, list[_Place]]] = []
    for edge in edges:
        chain = _chain(places[edge.source], places[edge.target], edge_label(edge))
        everything += chain[1:-1]
        chains.append((edge, chain))
    columns = _ordered(everything)
    _place_columns(columns, chains)
    boxes = tuple(_box(place) for place in everything if place.node is not None)
    arrows = tuple(_arrow(edge, chain) for edge, chain in chains)
    width = max((box.x + box.width for box in boxes), default=0.0) + _MARGIN
    height = max((place.y + place.height for place in everything), default=0.0) + _MARGIN
    return Drawing(width=width, height=height, boxes=boxes, arrows=arrows)


def text_pixels(lines: Iterable[str]) -> float:
    """How wide the widest line is; letters of East Asia are twice as wide."""
    widths = (sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line) for line in lines)
    return max(widths, default=0) * _LETTER_PIXELS


def shortened(text: str) -> str:
    """A long text without its middle, on one line."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    if len(text) <= _MAX_LETTERS:
        return text
    half = _MAX_LETTERS // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def _without_circles(graph: JobGraph) -> list[GraphEdge]:
    """Edges that lead from what stands earlier in the graph, or else are the first to join two nodes."""
    above: dict[str, set[str]] = {node.id: set() for node in graph.nodes}
    kept = []
    for edge in sorted(graph.edges, key=lambda edge: (edge.target, edge.source)):
        if edge.target == edge.source or edge.target in _all_above(edge.source, above):
            continue
        above[edge.target].add(edge.source)
        kept.append(edge)
    return kept


def _all_above(node: str, above: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for source in above[waiting.pop()] - found:
            found.add(source)
            waiting.append(source)
    return found


def _columns(graph: JobGraph, edges: list[GraphEdge]) -> dict[str, int]:
    """Each stage right of all that it reads; a file just left of the first stage that reads it."""
    columns = dict.fromkeys((node.id for node in graph.nodes), 0)
    for _ in graph.nodes:
        is_settled = True
        for edge in edges:
            if columns[edge.target] <= columns[edge.source]:
                columns[edge.target] = columns[edge.source] + 1
                is_settled = False
        if is_settled:
            break
    for node in graph.nodes:
        readers = [columns[edge.target] for edge in edges if edge.source == node.id]
        if not node.is_stage and readers:
            columns[node.id] = min(readers) - 1
    return columns


def _chain(source: _Place, target: _Place, label: list[str]) -> list[_Place]:
    """The edge as places: one in each column that it passes."""
    between = [_Place(None, column, label) for column in range(source.column + 1, target.column)]
    chain = [source, *between, target]
    for place, following in itertools.pairwise(chain):
        place.targets.append(following)
        following.sources.append(place)
    return chain


def _ordered(places: list[_Place]) -> list[list[_Place]]:
    """The columns, each ordered so that edges cross seldom."""
    columns: list[list[_Place]] = [[] for _ in range(1 + max((p.column for p in places), default=0))]
    for place in places:
        columns[place.column].append(place)
    for sweep in range(_SWEEPS):
        is_forward = sweep % 2 == 0
        rank = {id(place): at for column in columns for at, place in enumerate(column)}
        for column in columns if is_forward else reversed(columns):
            column.sort(key=lambda place: _mean_rank(place, rank, is_forward=is_forward))
            rank |= {id(place): at for at, place in enumerate(column)}
    return columns


def _mean_rank(place: _Place, rank: dict[int, int], *, is_forward: bool) -> float:
    others = place.sources if is_forward else place.targets
    return sum(rank[id(other)] for other in others) / len(others) if others else rank[id(place)]


def _place_columns(columns: list[list[_Place]], chains: list[tuple[GraphEdge, list[_Place]]]) -> None:
    heights = [sum(place.height for place in column) + _ROW_GAP * (len(column) - 1) for column in columns]
    tallest = max(heights, default=0.0)
    label_widths = [0.0] * len(columns)
    for edge, chain in chains:
        start = chain[0].column
        label_widths[start] = max(label_widths[start], text_pixels(map(shortened, edge_label(edge))))
    x = float(_MARGIN)
    for number, column in enumerate(columns):
        width = max((place.width for place in column), default=0.0)
        y = _MARGIN + (tallest - heights[number]) / 2
        for place in column:
            place.x, place.y = x + (width - place.width) / 2, y
            y += place.height + _ROW_GAP
        x += width + _COLUMN_GAP + label_widths[number]


def _box(place: _Place) -> Box:
    node = place.node
    assert node is not None  # noqa: S101 - the caller leaves out what is no node
    colors = STATE_COLORS[node.state if node.is_stage else "file"]
    return Box(
        x=place.x,
        y=place.y,
        width=place.width,
        height=place.height,
        lines=place.lines,
        fill=colors.fill,
        line=colors.line,
        is_stage=node.is_stage,
    )


def _arrow(edge: GraphEdge, chain: list[_Place]) -> Arrow:
    source, target = chain[0], chain[-1]
    passed = [(place.x, place.middle) for place in chain[1:-1]]
    points = ((source.x + source.width, source.middle), *passed, (target.x, target.middle))
    label = tuple(shortened(line) for line in edge_label(edge))
    half = text_pixels(label) / 2
    start, end = points[0], points[1]
    # Where many edges leave one node, their labels have room at the far end, and the other way round.
    is_fan = len(source.targets) >= len(chain[1].sources)
    x = end[0] - _TIP_ROOM - half if is_fan else start[0] + _LABEL_ROOM + half
    return Arrow(points=points, label=label, label_at=(x, _height_at(x, start, end)))


def _height_at(x: float, start: Point, end: Point) -> float:
    """Where the curve from `start` to `end` is at x, by halving."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if curve_point(start, end, middle)[0] < x:
            low = middle
        else:
            high = middle
    return curve_point(start, end, low)[1]


def curve_point(start: Point, end: Point, t: float) -> Point:
    """A point of the cubic Bezier curve that leaves and arrives level; t goes from 0 to 1."""
    (x0, y0), (x3, y3) = start, end
    half = (x0 + x3) / 2
    a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
    return (a * x0 + (b + c) * half + d * x3, (a + b) * y0 + (c + d) * y3)
