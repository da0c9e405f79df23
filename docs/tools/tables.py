"""Markdown that GitHub and the site both render: tables, and texts that fit into their cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NOTE = "<!-- Written by `make docs-reference` from the code: change it there. -->"


def page(title: str, introduction: str, parts: Iterable[str]) -> str:
    """A generated page with its heading and the note that it is generated."""
    return "\n\n".join([f"# {title}", _NOTE, introduction.strip(), *parts]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells that are all empty lose their column."""
    found = [list(row) for row in rows]
    kept = [column for column in range(len(head)) if any(row[column] for row in found)]
    lines = ["| " + " | ".join(head[column] for column in kept) + " |", "|---" * len(kept) + "|"]
    lines += ["| " + " | ".join(row[column] for column in kept) + " |" for row in found]
    return "\n".join(lines)


def cell(text: str) -> str:
    """A text as one line of a table: bars and angle brackets cannot be mistaken for markup."""
    one_line = " ".join(text.split())
    quoted = re.split(r"(`[^`]*`)", one_line.replace("|", "\\|"))
    return "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace("*", "\\*") for part in quoted
    )


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
