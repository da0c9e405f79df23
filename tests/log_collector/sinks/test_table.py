"""One walk over the table of sinks: what every row owes, so that a new row cannot pass without it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from telecine.cli.config.sections import faults_of_file

from log_collector.config import CollectorConfig
from log_collector.sinks.http.config import TargetConfig
from log_collector.sinks.table import Repeat, SinkRow, sink_rows
from log_collector.sinks.wanted import FilteredConfig
from tests.eventually import eventually_async
from tests.log_collector.harness import collector, numbered, ship
from tests.log_collector.sinks.receivers import RECEIVERS, installed_sink
from tests.pages.pages import examples, page_text

ROWS = sink_rows(CollectorConfig)
PAGE = page_text("docs/sinks.md")
EXAMPLES = examples("docs/sinks.md", "toml")


def settings_of(section: str) -> set[str]:
    """The names of a section's own settings, without those that several kinds share."""
    kind = get_type_hints(CollectorConfig)[section]
    struct = get_args(kind)[0] if get_args(kind) else kind
    shared = set(FilteredConfig.__struct_fields__)
    if issubclass(struct, TargetConfig):
        shared |= set(TargetConfig.__struct_fields__)
    return set(struct.__struct_fields__) - shared


def example_of(section: str) -> str:
    found = [example for example in EXAMPLES if section in tomllib.loads(example)]
    assert found, f"docs/sinks.md has no example with the section {section}"
    return found[0]


def written(path: Path, section: str, settings: Any) -> Path:
    path.write_text(json.dumps({section: settings, "retry": {"first_seconds": 0.05, "most_seconds": 0.1}}))
    return path


def test_every_row_has_a_receiver_to_be_tested_with() -> None:
    assert set(RECEIVERS) == set(ROWS), "tests/log_collector/sinks/receivers.py"


@pytest.mark.parametrize("section", ROWS)
def test_config_check_takes_its_example_and_names_a_wrong_setting(section: str, tmp_path: Path) -> None:
    path = tmp_path / "collector.toml"
    path.write_text(example_of(section))
    with installed_sink(tmp_path, name="kafka"):
        check_example(section, path)


def check_example(section: str, path: Path) -> None:
    assert faults_of_file(path, "collector")[1] == []
    several = isinstance(tomllib.loads(example_of(section))[section], list)
    key = f"{section}[0]" if several else section
    path.write_text(re.sub(rf"(?m)^(\[+{section}\]+)$", r"\1\nno_such_setting = 1", example_of(section)))
    (fault,) = faults_of_file(path, "collector")[1]
    assert (fault.key, fault.expected[:15]) == (f"{key}.no_such_setting", "unknown setting")
    if several:
        path.write_text(2 * example_of(section).partition(f"[{section}.")[0])
        assert (section, "expected a name only once") in [
            (fault.key, fault.expected) for fault in faults_of_file(path, "collector")[1]
        ]


@pytest.mark.parametrize("section", ROWS)
def test_the_page_says_where_it_leads_what_a_repeat_becomes_and_each_of_its_settings(section: str) -> None:
    table = PAGE[PAGE.index("| section |") : PAGE.index("`files` and `stdout`")]
    (row,) = [line for line in table.splitlines() if line.startswith(f"| `{section}` |")]
    words = {Repeat.UNDONE: "cut away", Repeat.KNOWN: "has the same", Repeat.SEEN: "seen twice"}
    assert words[ROWS[section].repeat] in row
    undocumented = {name for name in settings_of(section) if not re.search(rf"\b{name}\b", PAGE)}
    assert not undocumented


IN_THIS_PROCESS = {section: row for section, row in ROWS.items() if section != "stdout"}
"""Standard output is that of a program of its own: tests/robustness/test_every_sink_killed.py."""


@pytest.mark.parametrize(("section", "row"), IN_THIS_PROCESS.items(), ids=list(IN_THIS_PROCESS))
async def test_its_books_and_metrics_say_what_became_of_its_records(
    section: str, row: SinkRow, tmp_path: Path
) -> None:
    with RECEIVERS[section](tmp_path) as receiver:
        config = written(tmp_path / "c.json", section, receiver.settings)
        async with collector(tmp_path / "data", config) as running:
            await ship(running.address, numbered(1, 5))
            name = row.name or f"{section}.t"
            fanout = running.service._fanout

            def books() -> Any:
                (found,) = [sink for sink in fanout.stats() if sink.name == name]
                return found

            await eventually_async(lambda: books().delivered == 5)
            assert (books().accepted, books().buffered, dict(books().dropped)) == (5, 0, {})
            assert books().kind == name.partition(".")[0]
            assert not books().is_broken
