"""`telecine logs` against a running collector and against a directory of files, packed ones included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from telecine import LogClient, LogFilter
from telecine.cli.app import run
from telecine.exceptions import InvalidRequestError, JobNotFoundError
from telecine.logging.catalogue import Level

from log_collector.journal.ownership import shown_producer
from tests.client.cli.terminal_command import Ran, telecine
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, record, ship

RECORDS = [
    record(1, job_id="j", stage="encode:accepted", duration_ms=10),
    record(2, job_id="j", stage="encode:output", duration_ms=200, logger="a.b"),
    record(
        3, job_id="j", level="ERROR", error_type="CodecError", error="boom", stage="encode:output", attempt=1
    ),
    record(4, service="api", msg="request", duration_ms=30),
]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    data = tmp_path_factory.mktemp("collector") / "data"
    settings = {"files.services.rotate_bytes": "1KiB", "files.upkeep_seconds": "50ms"}
    running = CollectorProcess(data, settings).start()
    for first in (1, 101):
        filler = [record(first + i, service="filler") for i in range(100)]
        asyncio.run(ship(running.address, batch(first, filler, producer="filler")))
    asyncio.run(ship(running.address, batch(1, RECORDS)))
    with LogClient(running.address) as client:
        eventually(lambda: client.stats()["sinks"][0]["delivered"] == 204)
    eventually(lambda: list((data / "logs").glob("filler.log.*.zst")))
    yield running
    running.stop()


def numbers(ran: Ran) -> list[int]:
    assert ran.exit_code == 0, ran.out + ran.err
    return [json.loads(line)["n"] for line in ran.out.splitlines()]


@pytest.fixture(params=["server", "directory"])
def where(request: pytest.FixtureRequest, collector: CollectorProcess) -> tuple[str, str | Path]:
    if request.param == "server":
        return "--server", collector.address
    return "--dir", collector.data_dir


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--level", "error"], [3]),
        (["--job", "j", "--oldest-first"], [1, 2, 3]),
        (["--service", "api"], [4]),
        (["--stage", "encode:*", "-n", "2"], [3, 2]),
        (["--text", "BOOM"], [3]),
        (["--where", "duration_ms > 25"], [4, 2]),
        (["--id", "job_id=j", "--logger", "a"], [2]),
        (["--since", "2026-11-21T03:51:14.000003+00:00", "--service", "worker"], [3]),
    ],
)
def test_query_finds_the_same_on_a_server_and_in_files(
    where: tuple[str, str | Path], options: list[str], expected: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    exit_code = run(["logs", "query", where[0], str(where[1]), "--json", *options])
    assert numbers(Ran(exit_code, *capfd.readouterr())) == expected


def test_all_records_of_packed_files_are_found(where: tuple[str, str | Path]) -> None:
    found = numbers(telecine("logs", "query", *where, "--json", "--service", "filler", "-n", "0"))
    assert found == list(range(200, 0, -1))


def test_a_job_is_shown_to_people_and_to_programs(where: tuple[str, str | Path]) -> None:
    ran = telecine("logs", "job", "j", *where)
    assert ran.exit_code == 0, ran.err
    assert "3 of 3 records arrived" in ran.out
    rows = [line.split() for line in ran.out.splitlines() if "encode:" in line and "worker" in line]
    attempts = [row[row.index("worker") + 1] for row in rows if row[0].startswith("encode:")]
    assert attempts[-3:] == ["1", "1", "2"]  # as in manifests and in `jobs show`
    document = telecine("logs", "job", "j", *where, "--json").document
    assert [stage["stage"] for stage in document["stages"]] == [
        "encode:accepted",
        "encode:output",
        "encode:output",
    ]
    assert [line["n"] for line in document["records"]] == [1, 2, 3]


def test_the_report_counts_levels_operations_and_errors(where: tuple[str, str | Path]) -> None:
    report = telecine("logs", "report", *where, "--json").document
    assert report["records"] == 204
    assert {"name": "ERROR", "count": 1} in report["levels"]
    assert report["errors"] == [{"name": "CodecError: boom", "count": 1}]
    operations = {o["name"]: o for o in report["operations"]}
    assert operations["encode:output"]["p95_ms"] == 200
    assert sum(report["over_time"]) == 204
    assert "█" in telecine("logs", "report", *where).out


def test_tail_begins_with_the_last_ones(collector: CollectorProcess) -> None:
    with LogClient(collector.address) as client:
        tail = client.tail(LogFilter(services=["worker"]), last=2)
        assert [json.loads(next(tail)[1])["n"] for _ in range(2)] == [2, 3]
        tail.close()


def test_stats_show_sinks_and_producers(collector: CollectorProcess) -> None:
    ran = telecine("logs", "stats", "--server", collector.address)
    assert ran.exit_code == 0, ran.err
    assert shown_producer("filler") in ran.out
    assert "file" in ran.out
    counters = telecine("logs", "stats", "--json", "--server", collector.address).document
    assert counters["sinks"][0]["delivered"] == 204, "a number, no text"
    assert all(isinstance(producer["last_seq"], int) for producer in counters["producers"])


def test_lines_of_several_services_name_theirs(collector: CollectorProcess) -> None:
    ran = telecine("logs", "query", "--service", "worker", "--server", collector.address)
    assert ran.exit_code == 0, ran.err
    assert all(" worker" in line for line in ran.out.splitlines())


def test_report_takes_the_filters_of_query(collector: CollectorProcess) -> None:
    for option in ("--logger", "--stage"):
        ran = telecine("logs", "report", option, "no.such", "--json", "--server", collector.address)
        assert ran.document["records"] == 0, option


def test_sql_runs_over_plain_and_packed_files(collector: CollectorProcess) -> None:
    sql = "SELECT service, count(*) AS n FROM records GROUP BY service ORDER BY service"
    ran = telecine("logs", "query", "--dir", collector.data_dir, "--sql", sql, "--json")
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        {"service": "api", "n": 1}, {"service": "filler", "n": 200}, {"service": "worker", "n": 3},
    ]  # fmt: skip


def test_sql_gives_times_in_utc(collector: CollectorProcess) -> None:
    sql = "SELECT date_trunc('minute', timestamp) AS minute, count(*) AS n FROM records GROUP BY minute"
    ran = telecine("logs", "query", "--dir", collector.data_dir, "--sql", sql, "--json")
    assert ran.exit_code == 0, ran.err
    assert [json.loads(line) for line in ran.out.splitlines()] == [
        {"minute": "2026-11-21T03:51:00Z", "n": 204}
    ]


def test_old_files_are_imported_once(collector: CollectorProcess, tmp_path: Path) -> None:
    old = tmp_path / "old.log"
    old.write_text(
        "2025-11-11 22:30:45 - job_processor - INFO - Processing job #123\n"
        "2025-11-11 22:30:46,250 - job_processor - ERROR - It failed\n"
        "Traceback (most recent call last):\n  ValueError: no\n"
        "[2025-11-27 14:09:15] [pipeline] [INFO] Stage demux: STARTING\n"
        '{"timestamp": "2025-11-28T00:00:00Z", "level": "warn", "message": "api_key=sk-abc"}\n'
    )
    for taken in (4, 0):
        ran = telecine("logs", "import", old, "--service", "legacy", "--server", collector.address)
        assert ran.exit_code == 0, ran.out + ran.err
        assert f"{taken} records" in ran.out
    with LogClient(collector.address) as client:
        found = eventually(
            lambda: (
                [json.loads(x) for x in client.query(LogFilter(services=["legacy"]), is_oldest_first=True)]
            )
        )
    assert [r["level"] for r in found] == ["INFO", "ERROR", "INFO", "WARNING"]
    assert "ValueError" in found[1]["stack"]
    assert found[0]["logger"] == "job_processor"


def test_redact_says_what_it_would_take_out(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_text('{"msg": "login", "password": "hunter22"}\n')
    ran = telecine("logs", "redact", "--dry-run", path)
    assert ran.exit_code == 1
    assert "hunter22" not in ran.out
    assert "hunter22" in path.read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["--level", "LOUD"],
        ["--since", "yesterday-ish"],
        ["--id", "n=3"],
        ["--where", "level >"],
        ["--dir", "/nowhere"],
    ],
)
def test_wrong_usage_is_said_clearly(options: list[str], collector: CollectorProcess) -> None:
    server = [] if "--dir" in options else ["--server", collector.address]
    ran = telecine("logs", "query", *options, *server)
    assert ran.exit_code == 2
    assert "To do:" in ran.err


def test_the_client_raises_the_sdks_errors(collector: CollectorProcess) -> None:
    with LogClient(collector.address) as client:
        with pytest.raises(JobNotFoundError):
            client.job_story("nobody")
        with pytest.raises(InvalidRequestError):
            list(client.query(LogFilter(expression="a =")))
        assert [
            json.loads(x)["n"] for x in client.query(LogFilter(min_level=Level.ERROR, services=["worker"]))
        ] == [3]
