"""Advice to install something names a command that works for how Telecine was installed."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from telecine.installation import PARTS, command_for, missing_parts, while_it_exists

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("extra", "origin", "command"),
    [
        ("encoder", "", "pip install 'telecine[encoder]'"),
        ("encoder", "not json", "pip install 'telecine[encoder]'"),
        ("encoder", "[]", "pip install 'telecine[encoder]'"),
        ("watch", {"url": "file:///src/tele%20cine", "dir_info": {}}, "pip install '/src/tele cine[watch]'"),
        (
            "encoder",
            {"url": "file:///src/telecine", "dir_info": {"editable": True}},
            "pip install -e '/src/telecine[encoder]' -e '/src/telecine/services'",
        ),
        (
            "watch",
            {"url": "file:///dist/telecine-1-py3-none-any.whl", "archive_info": {}},
            "pip install --find-links '/dist' 'telecine[watch]'",
        ),
        (
            "all",
            {"url": "https://a.org/t.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "pip install 'telecine[all] @ git+https://a.org/t.git'"  # noqa: ISC004 - one command
            " 'telecine-services @ git+https://a.org/t.git#subdirectory=services'",
        ),
        (
            "all",
            {"url": "https://a.org/t.whl", "archive_info": {}},
            "pip install 'telecine[all]'",
        ),
    ],
)
def test_the_command_names_where_it_came_from(extra: str, origin: object, command: str) -> None:
    assert command_for(extra, origin if isinstance(origin, str) else json.dumps(origin)) == command


def test_beside_a_wheel_the_services_wheel_of_its_version_is_found_or_asked_for(tmp_path: Path) -> None:
    origin = json.dumps({"url": (tmp_path / "telecine-2.0-py3-none-any.whl").as_uri(), "archive_info": {}})
    command = f"pip install --find-links '{tmp_path}' 'telecine[encoder]'"
    for name in ("telecine-2.0-py3-none-any.whl", "telecine_services-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    advice = command_for("encoder", origin)
    assert advice.startswith(f"{command} (first put ")
    assert "telecine_services-2.0-py3-none-any.whl" in advice
    (tmp_path / "telecine_services-2.0-py3-none-any.whl").touch()
    assert command_for("encoder", origin) == command


def _named_in(path: str, *keys: str) -> set[str]:
    """The distributions that a pyproject.toml names, without those of some platforms alone."""
    found = tomllib.loads((ROOT / path).read_text())["project"]
    for key in keys:
        found = found[key]
    return {re.split(r"[\[<>=;~! ]", entry)[0] for entry in found if ";" not in entry}


def test_the_table_of_parts_is_what_pip_reads() -> None:
    """A part that is missing in the table would end in a traceback where it is not installed."""
    hosting = _named_in("services/pyproject.toml", "dependencies") - {"telecine"} | {"telecine-services"}
    for extra in ("encoder", "collector"):
        own = _named_in("services/pyproject.toml", "optional-dependencies", extra)
        assert set(PARTS[extra]) == hosting | own
    for extra in ("cli", "watch"):
        assert set(PARTS[extra]) == _named_in("pyproject.toml", "optional-dependencies", extra) - {"telecine"}


@pytest.mark.parametrize("extra", PARTS)
def test_every_part_is_proved_by_a_module_of_its_distribution(extra: str) -> None:
    assert missing_parts(extra) == []


def test_a_missing_package_above_a_module_is_a_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PARTS, "extra", {"there": "json", "not-there": "no_such_package.inside"})
    assert missing_parts("extra") == ["not-there"]


def test_a_place_that_is_gone_is_not_named(tmp_path: Path) -> None:
    here = json.dumps({"url": tmp_path.as_uri(), "dir_info": {}})
    assert while_it_exists(here) == here
    assert while_it_exists(json.dumps({"url": (tmp_path / "gone").as_uri(), "dir_info": {}})) == ""
    remote = json.dumps({"url": "https://a.org/t.git", "vcs_info": {"vcs": "git", "commit_id": "0"}})
    assert while_it_exists(remote) == remote
    assert [while_it_exists(text) for text in ("", "not json", "[]", "{}")] == ["", "", "", ""]
