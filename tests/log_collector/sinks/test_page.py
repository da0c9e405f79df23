"""The page about sinks: its examples run as they stand, its tables name what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from log_collector.sinks.http.config import HttpConfig, TargetConfig
from log_collector.sinks.loki.wire import _REASONS
from tests.eventually import eventually_async
from tests.log_collector.harness import batch, collector, record, ship
from tests.log_collector.sinks.listener import Answering, Listener
from tests.log_collector.sinks.receivers import OVER_HTTP
from tests.log_collector.sinks.services import FakeElasticsearch, FakeLoki, FakeSentry
from tests.pages.pages import examples, page_text

TEXT = page_text("docs/sinks.md")
EXAMPLES = [e for e in examples("docs/sinks.md", "toml") if OVER_HTTP.keys() & tomllib.loads(e).keys()]
SERVICES: dict[str, type[Any]] = {"sentry": FakeSentry, "elasticsearch": FakeElasticsearch, "loki": FakeLoki}


def kind_of(example: str) -> str:
    (kind,) = tomllib.loads(example)
    return kind


def test_there_is_one_example_for_each_sink_over_http() -> None:
    assert sorted(map(kind_of, EXAMPLES)) == sorted(OVER_HTTP)


@pytest.mark.parametrize("example", EXAMPLES, ids=kind_of)
async def test_an_example_runs_as_it_stands(example: str, tmp_path: Path) -> None:
    """But for the address, and that the listener has no certificate."""
    kind = kind_of(example)
    service: Answering | None = SERVICES[kind]() if kind in SERVICES else None
    with Listener(service) as listener:
        host = listener.url.removeprefix("http://")
        here = re.sub(r"https?://(?P<user>\w+@)?[\w.]+\.example(:\d+)?", rf"http://\g<user>{host}", example)
        assert here != example
        config = tmp_path / "collector.toml"
        config.write_text(here)
        name = tomllib.loads(example)[kind][0]["name"]
        async with collector(tmp_path / "data", config) as running:
            failed = record(1, level="ERROR", stage="provider:error", attempt=3, error_type="TimeoutError")
            await ship(running.address, batch(1, [failed]))
            runner = running.service._fanout.runners[f"{kind}.{name}"]
            await eventually_async(lambda: listener.heard and runner.accepted == 1 and not runner.buffered)
            assert (runner.books.delivered, runner.books.failures) == (1, 0)


def test_the_settings_that_the_page_names_exist() -> None:
    table = TEXT[TEXT.index("| setting |") : TEXT.index("`telecine serve collector --print-config`")]
    named = {
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`([a-z_.]+)`", row.split("|")[1] if row else "")
    }
    known = set(TargetConfig.__struct_fields__) | {f"http.{name}" for name in HttpConfig.__struct_fields__}
    assert named <= known
    assert known - named == {"name", "http", "http.answer_bytes"}


def test_every_reason_of_loki_stands_on_the_page() -> None:
    assert not [reason for _, reason in _REASONS if f"`{reason}`" not in TEXT]
