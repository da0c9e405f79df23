"""docs/seeds.md names only what is there: commands with their options, paths, names, settings, variables."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from telecine.logging.catalogue import FIELDS_BY_NAME, STAGES_BY_NAME

from encoder_service.config import EncoderConfig
from log_collector.config import CollectorConfig

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "seeds.md"
PACKAGES = ("telecine", "service_host", "encoder_service", "log_collector")
ANCHOR = re.compile(r"\]\(([\w.-]+\.md)#([\w-]+)\)")


def rows() -> list[tuple[str, str]]:
    """What the documents name, and where it is here."""
    found = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [row for row in found if row[0] != "named there"]


def references() -> list[str]:
    return sorted({item for _, here in rows() for item in re.findall(r"`([^`]+)`", here)})


@functools.cache
def settings_of(kind: type) -> frozenset[str]:
    """Every setting's name, sections joined by dots."""
    return frozenset(_settings(kind))


def _settings(owner: type, before: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(owner):
        yield before + field.name
        kind = (
            getattr(field.type, "__origin__", field.type)
            if hasattr(field.type, "__metadata__")
            else field.type
        )
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from _settings(kind, f"{before}{field.name}.")


@functools.cache
def variables() -> str:
    """The SDK's sources, in which its variables are looked up."""
    return "\n".join(path.read_text() for path in (ROOT / "client" / "telecine").rglob("*.py"))


@functools.cache
def help_of(*words: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "telecine.cli", *words, "--help"], capture_output=True, text=True, timeout=60,
        check=False, env=dict(os.environ) | {"COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    return ran.stdout if ran.returncode == 0 else ""


def is_command(item: str) -> bool:
    words = item.split()[1:]
    command = [word for word in words if not word.startswith("-")]
    shown = help_of(*command)
    return bool(shown) and all(word in shown for word in words if word.startswith("-"))


def is_name(item: str) -> bool:
    """A module, or what can be reached from one."""
    parts = item.split(".")
    found: object = None
    for at, part in enumerate(parts):
        try:
            found = importlib.import_module(".".join(parts[: at + 1]))
        except ModuleNotFoundError:
            is_field = dataclasses.is_dataclass(found) and part in {f.name for f in dataclasses.fields(found)}
            if not hasattr(found, part) and not is_field:
                return False
            found = getattr(found, part, None)
    return True


def is_variable(item: str) -> bool:
    if item.startswith("TELECINE_ENCODER_"):
        return item.removeprefix("TELECINE_ENCODER_").lower() in settings_of(EncoderConfig)
    name = item.removesuffix("<STAGE>").removesuffix("_")
    return any(f'"{suffix}' in variables() for suffix in (name, name.removeprefix("TELECINE_LOG_")))


def is_there(item: str) -> bool:
    if item.startswith("make "):
        return re.search(rf"^{item[5:]}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
    if item.startswith("telecine "):
        return is_command(item)
    if item.startswith("TELECINE_"):
        return is_variable(item)
    if "/" in item:
        return (ROOT / item).exists()
    if item.endswith(".js"):
        return (ROOT / "log_collector/http" / item).exists()
    if item.split(".", maxsplit=1)[0] in PACKAGES:
        return is_name(item)
    known = (
        settings_of(CollectorConfig)
        | settings_of(EncoderConfig)
        | FIELDS_BY_NAME.keys()
        | STAGES_BY_NAME.keys()
    )
    return item in known or item in ("with", "async with")


@pytest.mark.parametrize("item", references())
def test_what_the_page_names_is_there(item: str) -> None:
    assert is_there(item)


def test_what_is_not_there_would_be_found() -> None:
    invented = [
        "telecine logs look",
        "telecine logs tail --loudly",
        "TELECINE_LOG_NOISE",
        "telecine.nothing",
        "telecine.Output.taste",
        "client/telecine/nothing.py",
        "files.nothing",
        "make nothing",
    ]
    assert [item for item in invented if is_there(item)] == []


def test_every_row_says_where_or_why_not() -> None:
    for named, here in rows():
        is_told = (
            "`" in here
            or "](" in here
            or "*open*" in here
            or here.startswith(("out:", "both", "yours", "any"))
        )
        assert is_told, named


def test_all_five_documents_have_their_rows() -> None:
    assert len(rows()) > 150
    assert PAGE.read_text(encoding="utf-8").count("| named there | here |") == 5


def test_the_places_within_pages_exist() -> None:
    for page, place in ANCHOR.findall(PAGE.read_text(encoding="utf-8")):
        titles = re.findall(r"^#+ (.+)$", (PAGE.parent / page).read_text(encoding="utf-8"), re.MULTILINE)
        places = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert place in places, f"{page}#{place}"
