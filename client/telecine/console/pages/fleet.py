"""The services: versions, limits, sinks, and what the encoder has proved that it can make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import htpy as h

from telecine.console.pages.layout import Viewer, page, problem
from telecine.console.pages.values import duration, size
from telecine.results.values import Capabilities


def fleet_page(
    viewer: Viewer,
    encoder: Capabilities | None,
    encoder_fault: str,
    stats: Mapping[str, Any] | None,
    collector_fault: str,
) -> str:
    """The whole screen."""
    body = [
        h.h1(".visually-hidden")["Fleet"],
        h.section[h.h2["Encoder"], _encoder(encoder) if encoder else problem(encoder_fault)],
        h.section[h.h2["Collector"], _collector(stats) if stats else problem(collector_fault)],
    ]
    return page("Fleet", "fleet", viewer, h.fragment[body])


def _encoder(found: Capabilities) -> h.Fragment:
    limits = found.limits
    facts = [
        ("Version", found.server_version),
        ("Workers", str(found.workers)),
        ("Spool limit", size(limits.spool_quota_bytes) if limits.spool_quota_bytes else "none"),
        ("Waiting jobs at most", str(limits.max_waiting_jobs or "no limit")),
        ("Sandbox", f"{found.sandbox.mode}: {', '.join(found.sandbox.walls)}" if found.sandbox else "–"),
        *sorted(found.library_versions.items()),
    ]
    rows = [
        (
            row.format,
            encoder.encoder,
            "proved" if encoder.is_available else f"no: {encoder.reason}",
            ", ".join(encoder.pixel_formats),
        )
        for row in found.formats
        for encoder in row.encoders
    ]
    return h.fragment[
        _facts(facts),
        h.h3["Capabilities"],
        _table("Capabilities", ("Format", "Encoder", "Proof at its start", "Pixel formats"), rows),
    ]


def _collector(stats: Mapping[str, Any]) -> h.Fragment:
    ingest, journal = stats.get("ingest", {}), stats.get("journal", {})
    limit = journal.get("limit_bytes", 0)
    sinks = [
        (
            sink["name"],
            sink["kind"],
            "broken" if sink["is_broken"] else "works",
            duration(sink.get("lag", 0.0)),
            str(sink["delivered"]),
            str(sink["buffered"]),
            str(sum(sink["dropped"].values())),
            sink["last_error"],
        )
        for sink in stats.get("sinks", ())
    ]
    names = ("Sink", "Kind", "Circuit", "Lag", "Delivered", "Waiting", "Dropped", "Last error")
    return h.fragment[
        _facts(
            [
                ("Since", str(stats.get("started", "–"))),
                ("Journal", f"{size(journal.get('bytes', 0))} of {size(limit) if limit else 'no limit'}"),
                ("Accepted", str(ingest.get("accepted", 0))),
                ("Refused", str(ingest.get("refused", 0))),
                ("Rejected", str(ingest.get("rejected", 0))),
            ]
        ),
        _table("Sinks", names, sinks),
    ]


def _facts(facts: Sequence[tuple[str, str]]) -> h.Element:
    return h.dl(".pairs")[[(h.dt[name], h.dd[value]) for name, value in facts]]


def _table(label: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> h.Element:
    return h.div(".table", tabindex="0", role="region", aria_label=label)[
        h.table[
            h.thead[h.tr[[h.th(scope="col")[name] for name in names]]],
            h.tbody[[h.tr[[h.td[cell] for cell in cells]] for cells in rows]],
        ]
    ]
