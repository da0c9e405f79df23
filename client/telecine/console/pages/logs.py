"""Log records: the query line, filters, rows that open, live ones, pages over history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import htpy as h

from telecine.console.pages.layout import Viewer, page, problem
from telecine.console.services.records import Asked, key_of, more_like
from telecine.log_view.quick_filters import QUICK_FILTERS, QuickFilter
from telecine.log_view.record_view import RecordView, details_of, plain, row_of, view_of

_HINT: Final = 'level:warning service:worker job:42 duration_ms>500 "timed out"'
_MAX_FIELDS: Final = 6
_MAX_MESSAGE_CHARS: Final = 500
_MAX_VALUE_CHARS: Final = 64 << 10
"""Longer values are cut; the whole record can be had as a file."""
_MAX_STACK_LINES: Final = 2000


def logs_page(
    viewer: Viewer,
    asked: Asked,
    records: Sequence[bytes],
    next_token: str,
    *,
    fault: str = "",
    is_first: bool,
) -> str:
    """The whole screen. `is_first`: whether this is the newest page, to which live records are added."""
    address = urlencode(asked.parameters)
    is_live = is_first and not fault and not asked.until
    body = [
        h.h1(".visually-hidden")["Logs"],
        _query(asked),
        _quick(asked),
        problem(fault) if fault else None,
        h.div(".bar.sticky")[
            is_live
            and h.button(id="follow", type="button", aria_pressed="true", data_live=f"/logs/live?{address}")[
                "Live"
            ],
            is_live and h.button(".fresh", id="fresh", type="button", hidden=True)["new records"],
            h.span(".live", id="live", role="status")[None if is_live else "history"],
            not is_first and h.a(href=f"/logs?{address}")["Newest"],
            h.a(".export", href=f"/logs/export?{address}", download=True)["Export NDJSON"],
        ],
        h.ol(".records", id="records", aria_label="Records, the newest first")[
            [row(view_of(line)) for line in records],
            more(asked, next_token),
        ],
        not records and not fault and h.p(".empty")["No record matches."],
    ]
    return page("Logs", "logs", viewer, h.fragment[body])


def more_rows(asked: Asked, records: Iterable[bytes], next_token: str) -> h.Fragment:
    """The next page of history, and the link to the one behind it."""
    return h.fragment[[row(view_of(line)) for line in records], more(asked, next_token)]


def more(asked: Asked, next_token: str) -> h.Renderable | None:
    """The link to older records; with scripts they come into this page."""
    if not next_token:
        return None
    address = urlencode(asked.parameters | {"page": next_token})
    return h.li(".more")[
        h.a(
            href=f"/logs?{address}",
            hx_get=f"/logs/rows?{address}",
            hx_target="closest li",
            hx_swap="outerHTML",
        )["Older records"]
    ]


def row(view: RecordView) -> h.Element:
    """One record as a line that opens."""
    shown = row_of(view)
    key = key_of(view.line)
    address = urlencode({"t": view.timestamp, "k": key})
    return h.li(id=f"r-{key}", class_=f"level-{view.level.name.lower()}")[
        h.details(hx_get=f"/logs/record?{address}", hx_trigger="toggle once", hx_target="find .details")[
            h.summary[
                h.time[shown.time],
                h.span(".level")[view.level.name],
                h.span(".service")[h.bdi[shown.service]],
                h.span(".message")[h.bdi[plain(shown.message, _MAX_MESSAGE_CHARS)]],
                h.span(".fields")[
                    [
                        h.span[h.bdi[name], "=", h.bdi[plain(value, 80)]]
                        for name, value in shown.fields[:_MAX_FIELDS]
                    ]
                ],
            ],
            h.div(".details")[h.p(".hint")["reading …"]],
        ]
    ]


def gap(count: int) -> h.Element:
    """A place where records are left out."""
    return h.li(".gap")[f"{count} more came too fast to be shown here; load the page again to read them"]


def record_page(viewer: Viewer, view: RecordView | None) -> str:
    """One record by its permanent address."""
    if view is None:
        return page("Record", "logs", viewer, problem("This record is not stored any more."))
    heading = h.h1(".message")[h.bdi[plain(row_of(view).message, _MAX_MESSAGE_CHARS)]]
    return page("Record", "logs", viewer, h.section(".details")[heading, details(view)])


def details_piece(view: RecordView | None) -> str:
    """All that a record says, as a piece of a page."""
    return f"{h.fragment[details(view)]}"


def details(view: RecordView | None) -> h.Node:
    """All that a record says."""
    if view is None:
        return problem("This record is not stored any more.")
    found = details_of(view)
    values = {name: value for name, value, _ in found.fields}
    address = urlencode({"t": view.timestamp, "k": key_of(view.line)})
    return h.fragment[
        h.p(".actions")[
            found.job_id and h.a(href=f"/jobs/{quote(found.job_id, safe='')}")["To the job"],
            h.a(href=f"/logs?{urlencode({'q': more_like(values)})}")["More like this"],
            h.a(href=f"/logs/record?{address}&whole=1")["Permanent link"],
            h.a(href=f"/logs/record.json?{address}", download=True)["As JSON"],
        ],
        h.dl[
            [
                (h.dt(title=meaning or None)[h.bdi[name]], h.dd[h.bdi[_cut(value)]])
                for name, value, meaning in found.fields
            ]
        ],
        found.stack
        and h.details(".stack")[
            h.summary[f"Stack trace, {len(found.stack)} lines"],
            h.pre[[_stack_line(line) for line in found.stack[:_MAX_STACK_LINES]]],
        ],
    ]


def _stack_line(line: str) -> h.Element:
    is_place = line.lstrip().startswith(("File ", "at "))
    is_error = bool(line) and not line[0].isspace()
    return h.span(class_="place" if is_place else "error" if is_error else None)[_cut(line), "\n"]


def _cut(value: str) -> str:
    if len(value) <= _MAX_VALUE_CHARS:
        return value
    return f"{value[:_MAX_VALUE_CHARS]} … ({len(value)} characters; “As JSON” has all of them)"


def _query(asked: Asked) -> h.Element:
    return h.form(".filters.logs", method="get", action="/logs", role="search")[
        h.label(".visually-hidden", for_="q")["Query"],
        h.input(id="q", name="q", type="search", value=asked.query, placeholder=_HINT, spellcheck="false"),
        h.label["From ", h.input(name="since", type="datetime-local", step="1", value=_local(asked.since))],
        h.label["To ", h.input(name="until", type="datetime-local", step="1", value=_local(asked.until))],
        asked.quick != "all" and h.input(type="hidden", name="quick", value=asked.quick),
        h.button(type="submit")["Search"],
        _language(),
    ]


def _language() -> h.Element:
    rows = (
        ("level:warning", "this level or above"),
        ("service:worker logger:app.db", "a service, a logger and those below it"),
        ("job:42 user:7 request_id:7f", "an id; every id of the catalogue"),
        ("stage:encode:*", "all stages that begin so"),
        ("duration_ms>500", "a field compared: = != < <= > >="),
        ('where:"a > 1 or b = 2"', "the collector's own language"),
        ('timed out, "as it stands"', "text anywhere in the record"),
    )
    return h.details(".language")[
        h.summary["How to ask"],
        h.dl[[(h.dt[h.code[term]], h.dd[meaning]) for term, meaning in rows]],
    ]


def _quick(asked: Asked) -> h.Element:
    return h.nav(".quick", aria_label="Quick filters")[
        [
            h.a(
                href=f"/logs?{urlencode(asked.parameters | {'quick': each.value})}",
                aria_current="true" if each.value == asked.quick else None,
            )[QUICK_FILTERS[each].label]
            for each in QuickFilter
        ]
    ]


def _local(text: str) -> str:
    return text.replace(" ", "T").removesuffix("Z").partition("+")[0]
