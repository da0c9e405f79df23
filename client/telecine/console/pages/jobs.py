"""The list of jobs, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import htpy as h

from telecine.console.pages.layout import Viewer, hidden_csrf, page
from telecine.console.pages.values import age, clock, size
from telecine.console.services.jobs import JobPage
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.results import reading
from telecine.results.values import JobState

STALE_SECONDS = 30.0
"""A job that receives and was not heard of for so long is marked."""


def jobs_page(viewer: Viewer, found: JobPage, states: Sequence[JobState], text: str, notice: str = "") -> str:
    """The whole screen."""
    asked = urlencode([("state", state.value) for state in states] + ([("text", text)] if text else []))
    body = [
        h.h1(".visually-hidden")["Jobs"],
        h.p(".notice", role="status")[notice] if notice else None,
        _filters(states, text),
        h.form(method="post", action="/jobs/cancel")[
            hidden_csrf(viewer),
            h.div(".table", tabindex="0", role="region", aria_label="Jobs")[
                h.table(".jobs")[
                    _head(),
                    h.tbody(id="jobs", data_live=f"/jobs/live?{asked}")[rows(found)],
                ]
            ],
            h.div(".bar")[
                h.button(".danger", type="submit", data_confirm="Cancel the selected jobs?")[
                    "Cancel selected"
                ],
                h.span(".live", id="live", role="status")["connecting"],
                older(found, asked),
            ],
        ],
        _damaged(found.damaged),
    ]
    return page("Jobs", "jobs", viewer, h.fragment[body])


def rows(found: JobPage, now: datetime | None = None) -> h.Fragment:
    """The rows of a page."""
    now = now or datetime.now(UTC)
    if not found.jobs:
        return h.fragment[h.tr(id="none")[h.td(".empty", colspan="9")["No job matches."]]]
    return h.fragment[[_row(job, now) for job in found.jobs]]


def older(found: JobPage, asked: str) -> h.Renderable | None:
    """The link to the page behind this one."""
    if not found.next_token:
        return None
    address = f"/jobs?{asked}&{urlencode({'page': found.next_token})}"
    return h.a(".older", href=address)["Older jobs"]


def state_mark(name: str) -> h.Element:
    """A state in its colour, and in words."""
    return h.span(class_=f"state is-{name}")[name.replace("_", " ")]


def headings(names: Sequence[str], words: frozenset[str]) -> list[h.Element]:
    """The heads of a table's columns; those that are no words stand over numbers."""
    return [h.th(scope="col", class_=None if name in words else "number")[name] for name in names]


def _filters(states: Sequence[JobState], text: str) -> h.Element:
    return h.form(".filters", method="get", action="/jobs", role="search", data_submits=True)[
        h.label(".visually-hidden", for_="text")["Text"],
        h.input(id="text", name="text", type="search", value=text, placeholder="Job, output, code …"),
        h.fieldset[
            h.legend(".visually-hidden")["States"],
            [
                h.label(".chip")[
                    h.input(type="checkbox", name="state", value=state.value, checked=state in states),
                    h.span[state.value.replace("_", " ")],
                ]
                for state in JobState
            ],
        ],
        h.button(type="submit")["Filter"],
    ]


def _head() -> h.Element:
    names = ("Job", "State", "Received", "Outputs", "Frames/s", "Age", "Last heard of", "Warnings")
    return h.thead[
        h.tr[
            h.th(scope="col")[h.span(".visually-hidden")["Select"]],
            headings(names, words=frozenset({"Job", "State", "Outputs"})),
        ]
    ]


def _row(job: pb.Job, now: datetime) -> h.Element:
    state = reading.job_state(job.state)
    created = job.created_at.ToDatetime(UTC)
    warnings = len(job.warnings)
    return h.tr(id=f"job-{job.job_id}")[
        h.td[
            not state.has_ended
            and h.input(type="checkbox", name="job", value=job.job_id, aria_label=f"Select {job.job_id}")
        ],
        h.th(scope="row")[h.a(href=f"/jobs/{quote(job.job_id, safe='')}")[job.job_id]],
        h.td[state_mark(state.value), job.HasField("problem") and h.code[job.problem.code]],
        h.td(".number")[_received(job)],
        h.td[[_output(output) for output in job.outputs]],
        h.td(".number")[f"{job.received_frames_per_second:.1f}" if job.received_frames_per_second else "–"],
        h.td(".number", title=f"{clock(created)} UTC")[age(created, now)],
        h.td(".number")[_heard(job, state, now)],
        h.td(".number")[h.span(".warned")[str(warnings)] if warnings else "–"],
    ]


def _received(job: pb.Job) -> str:
    if not job.persisted_frames:
        return size(reading.video_offset(job.persisted)) if job.persisted else "–"
    return f"{job.persisted_frames}" + (f" / {job.total_frames}" if job.total_frames else "")


def _output(output: pb.OutputStatus) -> h.Element:
    progress = reading.output_progress(output.progress)
    total = progress.frames_total
    has_share = progress.state in ("encoding", "verifying") and total > 0
    return h.span(class_=f"output is-{progress.state.value}")[
        progress.output,
        has_share
        and h.progress(
            max=str(total), value=str(progress.frames_encoded), aria_label=f"{progress.output} encoded"
        ),
        h.small[f"{progress.frames_encoded}/{total}" if has_share else progress.state.value],
        progress.attempt > 1 and h.small[f"attempt {progress.attempt}"],
    ]


def _heard(job: pb.Job, state: JobState, now: datetime) -> h.Node:
    if state is not JobState.RECEIVING or not job.HasField("last_heard_at"):
        return "–"
    if job.is_attached:
        return "connected"
    heard = job.last_heard_at.ToDatetime(UTC)
    is_stale = (now - heard).total_seconds() > STALE_SECONDS
    return h.span(".stale" if is_stale else ".heard")[f"{age(heard, now)} ago"]


def _damaged(damaged: Sequence[pb.DamagedJob]) -> h.Node:
    if not damaged:
        return None
    return h.section[
        h.h2["Damaged on the server's disk"],
        h.ul[[h.li[h.code[each.job_id], f" {each.reason}, {size(each.spool_bytes)}"] for each in damaged]],
    ]
