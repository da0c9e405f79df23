"""A changed configuration takes effect where it may; a wrong one changes nothing and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from telecine.settings.loading import load_config

from service_host.settings.reload import Reloader, changed_keys


class Inner(msgspec.Struct, frozen=True):
    size: int = 1
    secret: str = ""


class Config(msgspec.Struct, frozen=True):
    port: int = 1
    limit: int = 10
    inner: Inner = Inner()

    def find_faults(self) -> Any:
        if self.limit < self.port:
            yield "limit", f"expected at least port ({self.port})"


class Told:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((level, event, fields))

    @property
    def last(self) -> tuple[str, str, dict[str, Any]]:
        return self.lines[-1]


class Reloading:
    """A reloader over a file, and what it did."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.told, self.applied = path, Told(), []
        path.write_text(text)
        loaded = load_config(Config, prefix="T_", path=path, environ={})
        self.reloader = Reloader(loaded, self._apply, ("port",), self.told)  # type: ignore[arg-type]

    def _apply(self, old: Config, new: Config) -> None:
        self.applied.append((old, new))

    def change(self, text: str) -> None:
        self.path.write_text(text)
        self.reloader.reload()

    @property
    def value(self) -> Config:
        return self.reloader.in_force.value


def test_what_may_change_takes_effect(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "limit = 20\n")
    reloading.change("limit = 30\n[inner]\nsize = 2\n")
    assert reloading.value == Config(limit=30, inner=Inner(size=2))
    assert reloading.applied == [(Config(limit=20), reloading.value)]
    assert reloading.told.last == ("info", "configuration_reloaded", {"keys": ["inner.size", "limit"]})


def test_a_key_that_needs_a_restart_keeps_its_value_and_is_named(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "port = 2\n")
    reloading.change("port = 3\nlimit = 40\n")
    assert reloading.value == Config(port=2, limit=40)
    assert ("warning", "configuration_needs_restart", {"keys": ["port"]}) in reloading.told.lines


def test_a_wrong_file_changes_nothing_and_says_why(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "limit = 20\n")
    reloading.change("limit = 'many'\nlimt = 3\n")
    assert reloading.value == Config(limit=20)
    assert reloading.applied == []
    level, event, fields = reloading.told.last
    assert (level, event) == ("error", "configuration_not_reloaded")
    assert "limit: " in fields["error"]
    assert 'did you mean "limit"?' in fields["error"]
    assert reloading.reloader.last_fault
    reloading.change("limit = 25\n")
    assert reloading.value == Config(limit=25)
    assert reloading.reloader.last_fault == ""


def test_a_file_that_is_sound_only_after_a_restart_changes_nothing(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "port = 8\n")
    reloading.change("port = 2\nlimit = 5\n")
    assert reloading.value == Config(port=8)
    assert "limit: expected at least port (8)" in reloading.reloader.last_fault
    assert "port" in reloading.reloader.last_fault


def test_a_vanished_file_changes_nothing(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "limit = 20\n")
    reloading.path.unlink()
    reloading.reloader.reload_if_changed()
    assert reloading.value == Config(limit=20)
    assert "cannot be read" in reloading.reloader.last_fault


def test_a_file_that_looks_the_same_is_not_read(tmp_path: Path) -> None:
    reloading = Reloading(tmp_path / "t.toml", "limit = 20\n")
    reloading.reloader.reload_if_changed()
    assert reloading.told.lines == []


def test_changed_keys_are_those_that_differ_or_are_new() -> None:
    assert changed_keys(Config(), Config()) == []
    assert changed_keys(Config(inner=Inner(secret="x")), Config(limit=3)) == ["inner.secret", "limit"]
