"""The forward sink: another collector has each record once, a dead one delays nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from telecine.logs.v1 import log_collector_service_pb2 as pb

from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, last_acknowledged, numbered, record, ship, stub
from tests.log_collector.log_files import records_in
from tests.service_host.certificates import Authority


def forwarding(path: Path, address: str, protocol: str = "ship") -> Path:
    target = {"name": "central", "address": address, "protocol": protocol, "timeout_seconds": 5}
    retry = {"first_seconds": 0.05, "open_seconds": 0.1, "failures_to_open": 2}
    path.write_text(json.dumps({"forward": [target], "retry": retry}))
    return path


@pytest.mark.parametrize("protocol", ["ship", "otlp"])
async def test_records_arrive_at_another_collector(tmp_path: Path, protocol: str) -> None:
    async with collector(tmp_path / "central") as central:
        config = forwarding(tmp_path / "c.json", central.address, protocol)
        async with collector(tmp_path / "edge", config) as edge:
            await ship(edge.address, numbered(1, 50), numbered(51, 50))
            await ship(
                edge.address, batch(101, [record(101, level="ERROR", job_id="j", nested={"a": [1, None]})])
            )
            await eventually_async(lambda: len(central.records()) == 101)
        found = {r["n"]: r for r in central.records()}
    assert sorted(found) == list(range(1, 102))
    assert found[101]["level"] == "ERROR"
    assert found[101]["service"] == "worker"
    assert found[101]["job_id"] == "j"
    assert found[101]["timestamp"] == "2026-11-21T03:51:14.000101Z"


async def test_certificates_that_are_not_there_leave_the_old_configuration_in_force(tmp_path: Path) -> None:
    """A sink that could not be opened must not take the others with it, at a start or at a reload."""
    config = tmp_path / "c.json"
    config.write_text("{}")
    async with collector(tmp_path / "edge", config) as edge:
        target = {
            "name": "central",
            "address": "127.0.0.1:1",
            "ca_file": str(tmp_path / "none.pem"),
        }
        config.write_text(json.dumps({"forward": [target]}))
        edge.service._reloader.reload()
        assert "ca_file: " in edge.service._reloader.last_fault
        assert last_acknowledged(await ship(edge.address, numbered(1))) == 3
        assert list(edge.service._fanout.runners) == ["file"]


async def test_a_dead_sink_delays_neither_files_nor_acknowledgements_and_goes_on_later(
    tmp_path: Path,
) -> None:
    """OC#15324, OCC#50102: records of an outage are missing afterwards."""
    async with collector(tmp_path / "central") as central:
        address = central.address
    config = forwarding(tmp_path / "c.json", address)
    async with collector(tmp_path / "edge", config) as edge:
        for first in range(1, 101, 10):
            assert last_acknowledged(await ship(edge.address, numbered(first, 10))) == first + 9
        runners = edge.service._fanout.runners
        await eventually_async(lambda: runners["file"].is_caught_up)
        await eventually_async(lambda: runners["forward.central"].is_broken)
        async with stub(edge.address) as client:
            sinks = {s.name: s for s in (await client.GetStats(pb.GetStatsRequest())).sinks}
        assert sinks["forward.central"].buffered == 100
        assert sinks["forward.central"].last_error
        assert not sinks["file"].is_broken
        async with collector(tmp_path / "central", host__listen=address):
            await eventually_async(lambda: runners["forward.central"].is_caught_up)
        assert not runners["forward.central"].is_broken
    assert [r["n"] for r in records_in(tmp_path / "central" / "logs", "worker.log")] == list(range(1, 101))


async def test_what_was_sent_before_a_crash_is_stored_once_after_it(tmp_path: Path) -> None:
    async with collector(tmp_path / "central") as central:
        config = forwarding(tmp_path / "c.json", central.address)
        async with collector(tmp_path / "edge", config) as edge:
            await ship(edge.address, numbered(1, 50))
            runner = edge.service._fanout.runners["forward.central"]
            await eventually_async(lambda: runner.is_caught_up)
            # As if the process had died between sending and noting it.
            before = runner._cursors.load("forward.central")
            await ship(edge.address, numbered(51, 50))
            await eventually_async(lambda: runner.is_caught_up and len(central.records()) == 100)
        from log_collector.journal import CursorStore

        cursors = CursorStore(tmp_path / "edge")
        cursors.advance("forward.central", before)  # type: ignore[arg-type]
        cursors.close()
        async with collector(tmp_path / "edge", config) as edge:
            await eventually_async(lambda: edge.service._fanout.runners["forward.central"].is_caught_up)
        assert [r["n"] for r in central.records()] == list(range(1, 101))


async def test_a_sink_that_is_too_far_behind_drops_and_counts(tmp_path: Path) -> None:
    config = forwarding(tmp_path / "c.json", "127.0.0.1:1")
    settings = json.loads(config.read_text())
    settings["forward"][0]["lag_bytes"] = 2000
    config.write_text(json.dumps(settings))
    async with collector(tmp_path / "edge", config) as edge:
        for first in range(1, 201, 10):
            await ship(edge.address, numbered(first, 10))
        runner = edge.service._fanout.runners["forward.central"]
        await eventually_async(lambda: runner.books.dropped["lag_limit"] > 0)
        assert runner.accepted == 200
        assert runner.accepted == runner.books.dropped.total() + runner.buffered + runner.books.delivered


async def test_records_are_forwarded_to_a_collector_that_asks_for_certificates(tmp_path: Path) -> None:
    """Also after the certificates of both sides have been replaced, by those of another authority."""
    authority = Authority(tmp_path)
    tls = authority.server(must_clients_prove=True)
    cert_file, key_file = authority.issue("edge", "edge")
    settings = {
        f"host__tls__{name}": getattr(tls, name) for name in ("cert_file", "key_file", "client_ca_file")
    }
    files = {"ca_file": str(authority.ca_file), "cert_file": str(cert_file), "key_file": str(key_file)}
    config = forwarding(tmp_path / "c.json", "")
    async with collector(tmp_path / "central", **settings) as central:
        said = json.loads(config.read_text())
        said["forward"][0] |= files | {"address": central.address, "timeout_seconds": 2}
        config.write_text(json.dumps(said))
        async with collector(tmp_path / "edge", config) as edge:
            await ship(edge.address, numbered(1, 20))
            await eventually_async(lambda: len(central.records()) == 20)
            successor = Authority(tmp_path)
            successor.issue("edge", "edge")
            successor.issue()
            successor.ca_file.replace(authority.ca_file)
            await ship(edge.address, numbered(21, 20))
            await eventually_async(lambda: len(central.records()) == 40)
    assert sorted(r["n"] for r in central.records()) == list(range(1, 41))
