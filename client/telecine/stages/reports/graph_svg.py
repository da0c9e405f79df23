"""Writes a laid-out graph as an SVG picture that needs nothing but itself."""

from __future__ import annotations

from xml.sax.saxutils import escape

from telecine.stages.reports.graph_layout import FONT_PIXELS, LINE_PIXELS, Arrow, Box, Drawing, text_pixels

_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_INK = "#1a1a1a"
_EDGE = "#5b6573"
_BASELINE = 12


def svg_text(drawing: Drawing, title: str) -> str:
    """The picture; `title` is what screen readers say of it."""
    width, height = round(drawing.width), round(drawing.height)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family="{_FONT}" font-size="{FONT_PIXELS}">'
        ),
        f"<title>{escape(title)}</title>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{_EDGE}"/></marker></defs>'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_arrow(arrow) for arrow in drawing.arrows),
        *(_box(box) for box in drawing.boxes),
        *(_label(arrow) for arrow in drawing.arrows if arrow.label),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _box(box: Box) -> str:
    radius = 5 if box.is_stage else box.height / 2
    shape = (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{radius:.1f}" fill="{box.fill}" stroke="{box.line}" stroke-width="1.5"/>'
    )
    middle = box.x + box.width / 2
    top = box.y + (box.height - LINE_PIXELS * len(box.lines)) / 2 + _BASELINE
    texts = [
        _text(line, middle, top + LINE_PIXELS * at, is_bold=box.is_stage and at == 0)
        for at, line in enumerate(box.lines)
    ]
    return shape + "".join(texts)


def _arrow(arrow: Arrow) -> str:
    x, y = arrow.points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in arrow.points[1:]:
        half = (x + to_x) / 2
        path.append(f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{_EDGE}" stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def _label(arrow: Arrow) -> str:
    x, y = arrow.label_at
    width, height = text_pixels(arrow.label) + 6, LINE_PIXELS * len(arrow.label)
    top = y - height / 2
    back = (
        f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height}" '
        'fill="#ffffff" fill-opacity="0.9"/>'
    )
    texts = (
        _text(line, x, top + _BASELINE + LINE_PIXELS * at, is_bold=False, ink=_EDGE)
        for at, line in enumerate(arrow.label)
    )
    return back + "".join(texts)


def _text(line: str, x: float, y: float, *, is_bold: bool, ink: str = _INK) -> str:
    weight = ' font-weight="bold"' if is_bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{ink}"{weight}>{escape(line)}</text>'
