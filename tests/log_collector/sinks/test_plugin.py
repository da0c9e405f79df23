"""Sinks of other packages: found by their entry point, loaded where named, kept apart where they fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from log_collector.sinks.plugin import PluginConfig, PluginSink
from log_collector.sinks.sink import SinkError
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, numbered, ship
from tests.log_collector.sinks.receivers import installed_sink
from tests.pages.pages import examples

(EXAMPLE,) = examples("docs/sinks.md", "python")
FAILING = """
tries = []
def open_sink(settings):
    tries.append(1)
    if len(tries) < 3:
        raise RuntimeError("password=hunter2 " + str(settings))
    return Sink()
class Sink:
    kept = []
    def write(self, records):
        self.kept += records
    def close(self):
        self.kept.clear()
"""


def written(path: Path, **settings: Any) -> Path:
    sinks = [{"name": "t", "entry_point": "lines"} | settings]
    path.write_text(json.dumps({"plugin": sinks, "retry": {"first_seconds": 0.05, "most_seconds": 0.1}}))
    return path


async def test_the_example_of_the_page_gets_what_passes_its_filter(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    config = written(tmp_path / "c.json", settings={"path": str(lines)}, expression="n > 2")
    with installed_sink(tmp_path, EXAMPLE):
        async with collector(tmp_path / "data", config) as running:
            await ship(running.address, numbered(1, 5))

            def books() -> Any:
                return next(sink for sink in running.service._fanout.stats() if sink.name == "plugin.t")

            await eventually_async(lambda: books().delivered == 3)
            assert (books().accepted, books().buffered, dict(books().dropped)) == (5, 0, {"filtered": 2})
    assert [json.loads(line)["n"] for line in lines.read_bytes().splitlines()] == [3, 4, 5]


def test_what_a_package_raises_is_tried_again_and_its_text_stays_out(tmp_path: Path) -> None:
    with installed_sink(tmp_path, FAILING) as module:
        sink = PluginSink(PluginConfig(name="t", entry_point="lines", settings={"token": "hunter2"}))
        for _ in range(2):
            with pytest.raises(SinkError) as caught:
                sink.write()
            assert str(caught.value) == "lines: RuntimeError"
        assert sink.write().delivered == 0
        assert module in sys.modules
        sink.close()
        sink.close()


def test_a_package_that_cannot_be_imported_costs_its_own_sink_alone(tmp_path: Path) -> None:
    with (
        installed_sink(tmp_path, "import a_module_that_is_missing"),
        pytest.raises(SinkError, match="lines: ModuleNotFoundError"),
    ):
        PluginSink(PluginConfig(name="t", entry_point="lines")).write()


def test_nothing_is_loaded_that_no_section_names(tmp_path: Path) -> None:
    with installed_sink(tmp_path, "raise SystemExit(9)") as module:
        faults = list(PluginConfig(name="t", entry_point="lines").find_faults())
        ((key, expected),) = PluginConfig(name="t", entry_point="nowhere").find_faults()
        assert (faults, key) == ([], "entry_point")
        assert "there are: lines" in expected
        assert module not in sys.modules


@pytest.mark.parametrize("name", ["../x", "a:b", "", "x" * 200, "a b"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    from telecine.cli.config.sections import faults_of_file

    config = written(tmp_path / "c.json", entry_point=name)
    assert "entry_point" in str(faults_of_file(config, "collector")[1])
