"""Checks of the log collector, where one is named: does it answer, and do its sinks take records?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from telecine.cli.connection import (
    collector_of,
    collector_tls,
    expect_collector,
    named_collector,
    open_collector,
)
from telecine.cli.doctor.secure import check_configured
from telecine.cli.show.documents import CheckDocument
from telecine.cli.show.failures import explain
from telecine.cli.show.terminal import seconds_text
from telecine.exceptions import TelecineError


def check_collector(server: str | None) -> Iterator[CheckDocument]:
    """Asks the collector for its counters; None: the one that the configuration names, if it names one."""
    if server is None and named_collector() is None:
        message = "none is named: records of programs stay on their machines"
        yield CheckDocument(name="log collector", status="ok", message=message, advice="")
        return
    address = collector_of(server)
    name = f"collector {address}"
    begin = time.perf_counter()
    try:
        expect_collector(address)
        with open_collector(address) as client:
            sinks = client.stats()["sinks"]
    except TelecineError as error:
        yield from check_configured("collector", address, collector_tls)
        failure = explain(error, "telecine doctor")
        yield CheckDocument(name=name, status="problem", message=failure.message, advice=failure.advice)
        return
    message = f"answered in {seconds_text(time.perf_counter() - begin)}"
    yield CheckDocument(name=name, status="ok", message=message, advice="")
    yield from check_configured("collector", address, collector_tls)
    broken = [f"{sink['name']}: {sink['last_error']}" for sink in sinks if sink["is_broken"]]
    if broken:
        advice = "fix what the sink names; `telecine logs stats` shows what waits for it"
        yield CheckDocument(name="sinks", status="problem", message="; ".join(broken), advice=advice)
    else:
        names = ", ".join(sink["name"] for sink in sinks) or "none"
        yield CheckDocument(name="sinks", status="ok", message=names, advice="")
