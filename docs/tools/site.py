"""`python -m docs.tools.site` builds the site strictly into build/site: the pages as they are, and llms.txt.

Pages link to files of the repository as GitHub shows them. On the site a link to a page outside of docs/
leads to the site's copy of it. One to another file leads to the repository where its address is known
(REPOSITORY_URL, such as "https://forge.example/telecine/blob/main"), and is plain text elsewhere.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from docs.tools.navigation import PROJECT, sections

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILD = ROOT / "build"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_OTHERS = {".svg", ".png", ".jpg", ".txt", ".sh", ".yaml", ".service", ".json"}


def stage(into: Path, repository: str = "") -> None:
    """Copies the pages, with links that the site can follow."""
    shutil.rmtree(into, ignore_errors=True)
    pages = {
        path.relative_to(ROOT).as_posix(): path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
    }
    pages |= PROJECT
    for source, target in pages.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        _write(into / _named(target), relinked(text, source, target, pages, repository))
    for path in DOCS.rglob("*"):
        if path.suffix in _OTHERS:
            copy = into / path.relative_to(DOCS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    listed = (DOCS / "llms.txt").read_text(encoding="utf-8")
    _write(into / "llms.txt", listed.replace("README.md)", "index.md)"))


def relinked(text: str, source: str, target: str, pages: dict[str, str], repository: str) -> str:
    """The text of a page with its links made those of the site; code stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        image, label, link, anchor = match[1], match[2], match[3], match[4] or ""
        if re.match(r"[a-z]+:", link):
            return match[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        found = pages.get(named) or pages.get(f"{named}/README.md")
        if found is None and named.startswith("docs/") and (ROOT / named).is_file():
            found = named.removeprefix("docs/")
        if found is not None:
            own = posixpath.relpath(_named(found), posixpath.dirname(_named(target)) or ".")
            return f"{image}[{label}]({own}{anchor})"
        return f"{image}[{label}]({repository}/{named}{anchor})" if repository else label

    return _outside_code(text, lambda part: _LINK.sub(replaced, part))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Labels of links hold code too: it is kept aside while the rest is changed."""
    kept: list[str] = []

    def aside(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x00{len(kept) - 1}\x00"

    changed = change(_FENCE.sub(aside, text))
    return re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], changed)


def _named(page: str) -> str:
    """A folder's README.md is its index on the site."""
    return re.sub(r"(^|/)README\.md$", r"\1index.md", page)


def title_of(page: str) -> str:
    """A page's first heading."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1].replace("`", "") if found else page


def _configuration(source: Path, site: Path) -> str:
    entries_of = []
    for section, pages in sections().items():
        entries = [f'{{ "{title_of(page)}" = "{_named(page)}" }}' for page in pages]
        if section == "Concepts":
            entries.insert(0, f'{{ "Architecture" = "{PROJECT["ARCHITECTURE.md"]}" }}')
            decisions = sorted(
                path.name for path in (DOCS / "decisions").glob("*.md") if path.name != "README.md"
            )
            listed = ", ".join(
                f'{{ "{title_of(f"decisions/{name}")}" = "decisions/{name}" }}' for name in decisions
            )
            entries.append(f'{{ "Decisions, one by one" = [{listed}] }}')
        entries_of.append(f'{{ "{section}" = [{", ".join(entries)}] }}')
    return f"""[project]
site_name = "Telecine"
site_description = "Frames in, film out, and every log line accounted for."
docs_dir = "{source.name}"
site_dir = "{site.name}"
nav = [{", ".join(entries_of)}]
[project.theme]
features = ["navigation.tabs", "navigation.top", "search.highlight", "content.code.copy"]
"""


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Builds; a warning is an error. Returns the exit code."""
    source, site = BUILD / "pages", BUILD / "site"
    stage(source, os.environ.get("REPOSITORY_URL", "").rstrip("/"))
    _write(BUILD / "zensical.toml", _configuration(source, site))
    shutil.rmtree(site, ignore_errors=True)
    command = [str(Path(sys.executable).parent / "zensical"), "build", "--clean", "--strict"]
    built = subprocess.run([*command, "-f", str(BUILD / "zensical.toml")], cwd=BUILD, check=False)
    if built.returncode == 0:
        # Each page's Markdown beside it, for programs: /operate/backup.md, beside operate/backup/
        shutil.copytree(source, site, dirs_exist_ok=True)
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
