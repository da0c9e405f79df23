"""The CSV sink: every row parses back to its record, whatever the record says."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from telecine.settings.loading import ConfigError, load_config

from log_collector.config import CollectorConfig
from log_collector.files.csv import CsvConfig, CsvRouter
from log_collector.files.names import files_in
from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, batch, collector, numbered, record, ship
from tests.log_collector.sinks.driving import stored
from tests.log_collector.sinks.receivers import csv_rows


def routed(config: CsvConfig, *records: object) -> str:
    pieces = CsvRouter(config).route([stored(records)]).pieces
    return b"".join(pieces.get(f"{config.name}.csv", [])).decode()


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def configured(**settings: Any) -> CsvConfig:
    return CsvConfig(**{"name": "t", "columns": ("a", "b"), **settings})


def csv_file(path: Path, **settings: Any) -> Path:
    target = {"name": "t", "columns": ["n", "msg"], **settings}
    path.write_text(json.dumps({"csv": [target], "retry": {"first_seconds": 0.05, "most_seconds": 0.1}}))
    return path


async def caught_up(running: Collector, count: int) -> None:
    runner = running.service._fanout.runners["csv.t"]
    await eventually_async(lambda: runner.books.delivered + runner.books.dropped.total() == count)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
@example([("a,b", 'say "hi"'), ("one\r\ntwo", "\n"), (" lead", "trail "), ("\r", '"'), ("\0", "\u2028")])
def test_every_text_comes_back_as_it_was(rows: list[tuple[str, str]]) -> None:
    text = routed(configured(is_formula_safe=False), *({"a": a, "b": b} for a, b in rows))
    assert cells(text) == [list(row) for row in rows]
    assert text.endswith("\r\n")


@given(st.text())
@example("=1+1")
@example("'=1+1")
@example("''")
@example("-")
def test_the_apostrophe_before_what_looks_like_a_formula_can_be_taken_away_again(text: str) -> None:
    ((found,),) = cells(routed(configured(columns=("a",)), {"a": text}))
    assert found.removeprefix("'") == text
    assert found[:1] not in tuple("=+-@\t\r\n")


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "\u200b=1",
     "＝1", "＋1", "－1", "＠1", "\x00=1", "\u00a0=1"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_led_by_an_apostrophe(text: str) -> None:
    ((found, _),) = cells(routed(configured(), {"a": text}))
    assert found == f"'{text}"
    ((found, _),) = cells(routed(configured(is_formula_safe=False), {"a": text}))
    assert found == text


def test_numbers_are_as_the_record_has_them_and_no_formulas() -> None:
    numbers = b'{"a":-5,"b":123456789012345678901234567890}\n'
    batch_of = stored([json.loads(numbers)])
    (piece,) = CsvRouter(configured()).route([batch_of]).pieces["t.csv"]
    assert piece == b"-5,123456789012345678901234567890\r\n"


def test_null_and_a_missing_field_are_empty_and_an_empty_text_is_quoted() -> None:
    assert routed(configured(), {"a": None}) == ",\r\n"
    assert routed(configured(), {"a": "", "b": False}) == '"",false\r\n'


def test_a_dotted_column_leads_into_objects_and_lists_are_json() -> None:
    config = configured(columns=("o.x", "o.y.z", "l", "o.no", "l.x"))
    nested = {"o": {"x": "in", "y": {"z": 1}}, "l": [1, "=2"]}
    assert cells(routed(config, nested)) == [["in", "1", '[1,"=2"]', "", ""]]
    assert cells(routed(config, {"o.x": "itself", **nested}))[0][0] == "itself"


@pytest.mark.parametrize("value", ["é" * 5000, [0] * 5000, {"k": "x" * 9000}])
def test_a_field_is_cut_at_its_limit_and_says_by_how_much(value: object) -> None:
    ((found, _),) = cells(routed(configured(field_bytes=101), {"a": value}))
    whole = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    kept, _, mark = found.partition("…[")
    assert whole.startswith(kept)
    assert 99 <= len(kept.encode()) <= 101
    assert mark == f"{len(whole.encode()) - 101} bytes more]"


def test_columns_are_checked_with_the_configuration() -> None:
    for columns in ([], ["a", "a"], ["a\nb"], [""]):
        with pytest.raises(ConfigError, match=r"csv\[0\].columns"):
            load_config(
                CollectorConfig,
                prefix="T_",
                environ={},
                overrides={"csv": [{"name": "t", "columns": columns}]},
            )


async def test_each_file_has_its_header_once_over_rotations_and_restarts(tmp_path: Path) -> None:
    config = csv_file(tmp_path / "c.json", rotation={"rotate_bytes": 1024})
    for start in range(3):
        async with collector(tmp_path / "data", config) as running:
            for first in range(60 * start + 1, 60 * start + 61, 20):
                await ship(running.address, numbered(first, 20))
                await caught_up(running, first + 19 - 60 * start)
    files = csv_rows(tmp_path / "data" / "csv", "t")
    assert len(files) > 1
    assert [int(row["n"]) for rows in files for row in rows] == list(range(1, 181))
    packed = [file for file in files_in(tmp_path / "data" / "csv", stream="t.csv") if not file.is_active]
    await eventually_async(lambda: packed)


async def test_other_columns_begin_a_new_file(tmp_path: Path) -> None:
    config = csv_file(tmp_path / "c.json")
    async with collector(tmp_path / "data", config) as running:
        await ship(running.address, numbered(1, 3))
        await caught_up(running, 3)
        csv_file(config, columns=["n", "level"])
        running.service._reloader.reload()
        await eventually_async(
            lambda: getattr(running.service._fanout.runners.get("csv.t"), "accepted", 3) == 0
        )
        await ship(running.address, numbered(4, 3))
        await caught_up(running, 3)
    old, new = csv_rows(tmp_path / "data" / "csv", "t")
    assert [list(row) for row in old] == 3 * [["n", "msg"]]
    assert [(row["n"], row["level"]) for row in new] == [("4", "INFO"), ("5", "INFO"), ("6", "INFO")]


async def test_what_is_filtered_is_counted_and_other_sinks_files_are_left_alone(tmp_path: Path) -> None:
    target = {"name": "t", "columns": ["n"], "level": "ERROR", "expression": "n > 1"}
    other = {"name": "my-t", "columns": ["n"], "rotation": {"rotate_bytes": 1024, "keep_count": 1}}
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"csv": [target, other]}))
    records = [record(1, level="ERROR"), record(2), record(3, level="ERROR"), record(4, level="CRITICAL")]
    async with collector(tmp_path / "data", path) as running:
        await ship(running.address, batch(1, records))
        await caught_up(running, 4)
        assert running.service._fanout.runners["csv.t"].books.dropped == {"filtered": 2}
        await eventually_async(lambda: running.service._fanout.runners["csv.my-t"].books.delivered == 4)
    assert [[row["n"] for row in rows] for rows in csv_rows(tmp_path / "data" / "csv", "t")] == [["3", "4"]]
    assert [len(rows) for rows in csv_rows(tmp_path / "data" / "csv", "my-t")] == [4]


async def test_what_stands_in_the_files_place_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with collector(tmp_path / "data", csv_file(tmp_path / "c.json")) as running:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        directory = tmp_path / "data" / "csv"
        await eventually_async(directory.is_dir)
        (directory / "t.csv").symlink_to(victim)
        await ship(running.address, numbered(1, 3))
        runner = running.service._fanout.runners["csv.t"]
        await eventually_async(lambda: "in the way" in runner.books.last_error)
        (directory / "t.csv").unlink()
        await caught_up(running, 3)
    assert victim.read_text() == "mine"
