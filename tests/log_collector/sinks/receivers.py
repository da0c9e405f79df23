"""What stands at the other end of each kind of sink, and what it has when all is over."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from log_collector.files.names import files_in
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.log_files import content_of, records_in
from tests.log_collector.sinks.listener import Heard, Listener, Reply
from tests.log_collector.sinks.services import FakeElasticsearch, FakeLoki, FakeSentry

Account = Callable[[], list[int]]
"""Field n of every record that a service has, as often as it has it."""


@dataclass(frozen=True)
class Receiver:
    """The other end of one sink."""

    settings: Any
    """The section that leads there."""
    account: Callable[[CollectorProcess], list[int]]
    """Field n of every record that arrived, as often as it is there; asked once the collector has ended."""


class KeepEverything:
    """A receiver that knows no ids."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []

    def __call__(self, heard: Heard) -> Reply:
        self.requests.append((heard.headers.get("webhook-id", ""), heard.body))
        return Reply()


def elasticsearch() -> tuple[Any, Account]:
    service = FakeElasticsearch()
    return service, lambda: [d["numeric_labels"]["n"] for d in list(service.documents.values())]


def loki() -> tuple[Any, Account]:
    service = FakeLoki()
    return service, lambda: [
        int(m["n"]) for kept in list(service.entries.values()) for m in list(kept.values())
    ]


def sentry() -> tuple[Any, Account]:
    service = FakeSentry()
    return service, lambda: [event["contexts"]["fields"]["n"] for event in list(service.events.values())]


def webhook() -> tuple[Any, Account]:
    """Requests with equal ids are the same: their bodies are, too."""
    service = KeepEverything()

    def account() -> list[int]:
        once = dict(service.requests)
        assert len(set(service.requests)) == len(once)
        return [json.loads(line)["n"] for body in once.values() for line in body.splitlines()]

    return service, account


def logstash() -> tuple[Any, Account]:
    """Its pipeline can make `event.id` the id of the document."""
    service = KeepEverything()

    def account() -> list[int]:
        documents = [document for _, body in list(service.requests) for document in json.loads(body)]
        return list({d["event"]["id"]: d["numeric_labels"]["n"] for d in documents}.values())

    return service, account


OVER_HTTP: dict[str, Callable[[], tuple[Any, Account]]] = {
    make.__name__: make for make in (elasticsearch, loki, sentry, webhook, logstash)
}


def http_settings(kind: str, url: str, **settings: Any) -> dict[str, Any]:
    """A section's settings that lead every record to a listener."""
    if kind == "sentry":
        return {"name": "t", "dsn": url.replace("://", "://key@") + "/1", "level": "TRACE", **settings}
    return {"name": "t", "url": url, **settings}


@contextmanager
def _http(kind: str) -> Iterator[Receiver]:
    service, account = OVER_HTTP[kind]()
    with Listener(service) as listener:
        yield Receiver([http_settings(kind, listener.url, request_records=9)], lambda _: account())


@contextmanager
def _files(_: Path) -> Iterator[Receiver]:
    settings = {"services": {"rotate_bytes": 4096}, "upkeep_seconds": 0.05}
    yield Receiver(settings, lambda edge: [r["n"] for r in records_in(edge.data_dir / "logs", "worker.log")])


@contextmanager
def _stdout(_: Path) -> Iterator[Receiver]:
    def account(edge: CollectorProcess) -> list[int]:
        lines = [line for line in edge.printed if line.endswith(b"\n")]
        return [json.loads(line)["n"] for line in lines]

    yield Receiver({"is_on": True, "format": "json"}, account)


@contextmanager
def _forward(directory: Path) -> Iterator[Receiver]:
    central = CollectorProcess(directory / "central")
    central.start()

    def account(_: CollectorProcess) -> list[int]:
        assert central.stop() == 0
        return [r["n"] for r in records_in(central.data_dir / "logs", "worker.log")]

    try:
        yield Receiver([{"name": "t", "address": central.address}], account)
    finally:
        central.stop()


PLUGIN = """
class Lines:
    def __init__(self, path):
        self._path = path
    def write(self, records):
        with open(self._path, "ab") as file:
            file.write(b"".join(b"\\n" + record for record in records))
    def close(self):
        pass
def open_sink(settings):
    return Lines(settings["path"])
"""


@contextmanager
def installed_sink(directory: Path, source: str = PLUGIN, name: str = "lines") -> Iterator[str]:
    """A package with a sink, where Python finds it; yields the name of its module."""
    module = f"sink_{name}_{len(sys.path)}"
    place = directory / "site"
    about = place / f"{module}-1.0.dist-info"
    about.mkdir(parents=True)
    (place / f"{module}.py").write_text(source)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[telecine.sinks]\n{name} = {module}:open_sink\n")
    before = os.environ.get("PYTHONPATH")
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = str(place) + (f"{os.pathsep}{before}" if before else "")
    try:
        yield module
    finally:
        sys.path.remove(str(place))
        sys.modules.pop(module, None)
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def _plugin(directory: Path) -> Iterator[Receiver]:
    path = directory / "plugin.lines"

    def account(_: CollectorProcess) -> list[int]:
        # A kill may leave half a line; its record comes again.
        return [json.loads(line)["n"] for line in path.read_bytes().split(b"\n") if line.endswith(b"}")]

    with installed_sink(directory):
        yield Receiver([{"name": "t", "entry_point": "lines", "settings": {"path": str(path)}}], account)


def csv_rows(directory: Path, name: str) -> list[list[dict[str, str]]]:
    """The rows of each file of a CSV sink, the oldest file first, by the columns that its first row names."""
    found = []
    for file in files_in(directory, stream=f"{name}.csv"):
        text = content_of(file.path).decode()
        assert text.endswith("\r\n"), f"{file.path.name} ends within a row"
        found.append(list(csv.DictReader(io.StringIO(text, newline=""), strict=True)))
    return found


@contextmanager
def _csv(_: Path) -> Iterator[Receiver]:
    def account(edge: CollectorProcess) -> list[int]:
        return [int(row["n"]) for rows in csv_rows(edge.data_dir / "csv", "t") for row in rows]

    rotation = {"rotate_bytes": 4096}
    yield Receiver([{"name": "t", "columns": ["timestamp", "service", "n"], "rotation": rotation}], account)


RECEIVERS: dict[str, Callable[[Path], AbstractContextManager[Receiver]]] = {
    "files": _files,
    "stdout": _stdout,
    "forward": _forward,
    **{kind: (lambda _, kind=kind: _http(kind)) for kind in OVER_HTTP},
    "csv": _csv,
    "plugin": _plugin,
}
"""By section of the configuration; every row of the table of sinks has one."""
