"""SQL over log files: one odd record changes no column, and a question reads the logs and nothing else."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import zstandard
from telecine.cli.logs.source import DirectorySource
from telecine.cli.logs.sql import run_sql
from telecine.cli.show.failures import UsageError


def write(path: Path, *records: dict[str, Any] | str) -> None:
    head = {"timestamp": "2026-11-28T10:00:00.000000Z", "level": "INFO", "service": "app", "msg": "m"}
    lines = [one if isinstance(one, str) else json.dumps(head | one) for one in records]
    path.write_text("".join(f"{line}\n" for line in lines))


def answer(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    return run_sql(directory, sql)[1]


@pytest.mark.parametrize("place", [".", "logs", "logs/logs"])
def test_the_data_directory_of_any_server_with_a_collector_stands_for_its_log_files(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    write(tmp_path / place / "app.log", {})
    if place == ".":
        (tmp_path / "other").mkdir()
    assert answer(tmp_path, "SELECT service FROM records") == [("app",)]
    assert len(list(DirectorySource(tmp_path).lines())) == 1


USUAL = [{"loss": n / 2, "step": n, "ok": n % 2 == 0, "name": f"n{n}", "id": 2**60 + n} for n in range(20)]


@pytest.mark.parametrize(
    "odd",
    [
        {f"own_{n}": n for n in range(700)},
        {"": 1, " ": 2, 'quo"te': 3, "it's": 4, "$.x": 5, "a.b": 6, "select": 7},
        {"loss": "NaN", "step": "text", "ok": 7, "name": {"a": 1}, "id": 2**70},
        {"loss": {"deep": [1]}, "step": None, "ok": "yes", "name": 5, "id": "x"},
        {"LOSS": 1, "Loss": 2, "sTeP": 3},
        {"service": {"a": "b"}, "level": 5, "msg": None, "timestamp": "yesterday"},
        "no json at all",
        '{"loss": 1, "loss": 2, "step": 1, "msg": "twice"}',
        '{"cut off',
        "[1, 2]",
    ],
    ids=str,
)
def test_one_odd_record_changes_no_column(tmp_path: Path, odd: Any) -> None:
    write(tmp_path / "app.log", *USUAL, odd)
    where = "WHERE name LIKE 'n%'"
    found = answer(
        tmp_path, f"SELECT avg(loss), max(step), count(*) FILTER (ok), max(id) FROM records {where}"
    )
    assert found == [(4.75, 19, 10, 2**60 + 19)]
    assert answer(
        tmp_path, f"SELECT count(*) FROM records WHERE service = 'app' AND level = 'INFO' AND {where[6:]}"
    ) == [(20,)]


def test_an_odd_value_is_null_in_its_column_and_stands_in_lines(tmp_path: Path) -> None:
    write(tmp_path / "app.log", *USUAL, {"loss": "broken"}, {"loss": "-Infinity"})
    assert answer(tmp_path, "SELECT count(*) FROM records WHERE loss IS NULL") == [(1,)]
    assert answer(tmp_path, "SELECT min(loss) FROM records") == [(-math.inf,)]
    assert answer(tmp_path, "SELECT count(*) FROM lines WHERE json->>'loss' = 'broken'") == [(1,)]


def test_fields_of_the_catalogue_are_columns_where_no_record_has_them(tmp_path: Path) -> None:
    write(tmp_path / "app.log", {})
    assert answer(tmp_path, "SELECT error_type, duration_ms, job_id, attempt FROM records") == [(None,) * 4]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('https://example.invalid/x.csv')",
        "SELECT * FROM paths",
        "COPY records TO 'out.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH 'x.db'",
        "SET enable_external_access = true",
        "CREATE TABLE t (a INT)",
        "PRAGMA database_list",
        "SELECT 1; COPY records TO 'out.csv'",
        "",
    ],
)
def test_a_question_reads_the_logs_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    write(tmp_path / "app.log", {})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        run_sql(tmp_path, sql)
    assert [path.name for path in tmp_path.iterdir()] == ["app.log"]


@pytest.mark.parametrize("name", ["d[x]", "d*", "d?", "[!d]", "[", "d**", "d{a,b}", "it's", "d]x["])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    for directory in ("dx", "da", "dd", name):
        (tmp_path / directory).mkdir()
        write(tmp_path / directory / "app.log", {"msg": directory})
    assert answer(tmp_path / name, "SELECT msg FROM records") == [(name,)]


def test_a_damaged_file_is_named_and_read_as_far_as_it_goes(tmp_path: Path) -> None:
    write(tmp_path / "app.log", *USUAL)
    packed = zstandard.ZstdCompressor().compress((tmp_path / "app.log").read_bytes())
    (tmp_path / "app.log.000001-20261128T100000Z.zst").write_bytes(packed[:-40])
    (tmp_path / "app.log.000002-20261128T100000Z.zst").write_bytes(packed + packed)
    damaged: list[str] = []
    ((count,),) = run_sql(tmp_path, "SELECT count(*) FROM records", damaged)[1]
    assert count >= 60
    assert len(damaged) == 1
    assert "000001" in damaged[0]


def test_lnav_is_shown_how_to_read_every_field(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    from telecine.cli.app import run
    from telecine.logging.catalogue import FIELDS

    assert run(["logs", "lnav-format"]) == 0
    (form,) = [value for key, value in json.loads(capsysbinary.readouterr().out).items() if key != "$schema"]
    assert form["value"].keys() == {field.name for field in FIELDS}
    assert form["json"] is True
