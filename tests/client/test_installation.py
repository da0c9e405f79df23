"""Advice to install something names a command that works for how Telecine was installed."""

from __future__ import annotations

import json

import pytest
from telecine.installation import command_for


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
            "sinks",
            {"url": "file:///dist/telecine-1-py3-none-any.whl", "archive_info": {}},
            "pip install --find-links '/dist' 'telecine[sinks]'",
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
