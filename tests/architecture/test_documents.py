"""What is written for people is complete, true to the tree, and free of anybody's machine."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.architecture.sources import ROOT, documents, name_of, tracked_files

EXPECTED = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/glossary.md",
    "docs/decisions/README.md",
]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|root|Users|work|mnt|workspace)/\w")
MAKE_TARGET = re.compile(r"`make ([a-z]+)")

TEXT_SUFFIXES = {".md", ".py", ".toml", ".yaml", ".yml", ".txt", ".proto", ".json", ".cfg", ""}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_documents_are_there(name):
    assert (ROOT / name).is_file()


def test_the_changelog_has_a_place_for_what_comes():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0].startswith("Unreleased")


def test_every_link_between_documents_leads_somewhere():
    offenders = [
        f"{name_of(path)}: {target}"
        for path in documents()
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.partition("#")[0]).exists()
    ]
    assert not offenders


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        f"{name_of(path)}: make {target}"
        for path in documents()
        for target in MAKE_TARGET.findall(path.read_text(encoding="utf-8"))
        if target not in targets
    }
    assert not named


def test_no_file_names_a_path_of_somebodys_machine():
    """Tests may: they show that such paths are found in, or kept out of, what we write."""
    offenders = []
    for path in tracked_files():
        if path.suffix not in TEXT_SUFFIXES or not path.is_file() or (ROOT / "tests") in path.parents:
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        offenders += [f"{name_of(path)}:{n}" for n, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert not offenders


def test_the_constraints_hold_versions_and_no_addresses():
    pins = _pins()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", pin) for pin in pins)
    assert len({_folded(pin.partition("==")[0]) for pin in pins}) == len(pins)


def test_every_dependency_is_pinned():
    files = ("pyproject.toml", "services/pyproject.toml")
    projects = [tomllib.loads((ROOT / file).read_text())["project"] for file in files]
    groups = [
        group
        for project in projects
        for group in (project["dependencies"], *project["optional-dependencies"].values())
    ]
    named = {re.split(r"[\[<>=!~; ]", item)[0] for group in groups for item in group}
    named -= {project["name"] for project in projects}
    pinned = {_folded(pin.partition("==")[0]) for pin in _pins()}
    assert not {name for name in named if _folded(name) not in pinned}


def _pins() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
