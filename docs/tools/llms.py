"""Writes llms.txt: the pages of the site for programs that read, each with its first sentence."""

from __future__ import annotations

import re
from pathlib import Path

from docs.tools.navigation import sections
from docs.tools.site import title_of

_DOCS = Path(__file__).parents[1]
_HEAD = """\
# Telecine

> Frames in, film out, and every log line accounted for: an encoder service (gRPC; frames in, MP4, WebM, WebP,
> PNG and more out, with a manifest), a log collector, a Python SDK and the command `telecine`.

Each page is plain Markdown at the path given here.
"""


def text(generated: dict[Path, str]) -> str:
    """llms.txt. `generated`: pages that may not be written yet."""
    parts = [_HEAD]
    for section, pages in sections().items():
        parts.append(f"\n## {section}\n")
        parts += [
            f"- [{title_of(page)}]({page}): {_first_sentence(_read(page, generated))}" for page in pages
        ]
    return "\n".join(parts) + "\n"


def _read(page: str, generated: dict[Path, str]) -> str:
    path = _DOCS / page
    return generated.get(path) or path.read_text(encoding="utf-8")


def _first_sentence(page: str) -> str:
    """Of the first paragraph of prose."""
    for block in re.split(r"\n\s*\n", page):
        if not re.match(r"[#<|`!>*-]", block):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block.split()))
            return re.split(r"(?<=[.:])\s", plain)[0].rstrip(":")
    return ""
