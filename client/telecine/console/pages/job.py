"""One job: its newest frame, outputs and attempts, artifacts, manifest, and the records of all services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import htpy as h

from telecine.clients.logs import JobStory
from telecine.console.pages.jobs import headings, state_mark
from telecine.console.pages.layout import Viewer, hidden_csrf, page, problem
from telecine.console.pages.logs import row
from telecine.console.pages.values import clock, duration, size
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.exceptions.problems import advice_of
from telecine.log_view.record_view import plain, view_of
from telecine.results import reading

PLAYED: Final = frozenset({"video/mp4", "video/webm"})
SHOWN: Final = frozenset({"image/png", "image/apng", "image/webp", "image/gif", "image/jpeg", "image/avif"})
"""What a browser may show in place. Everything else is a download: it could hold scripts."""
_COLUMNS: Final = ("Output", "State", "Frames", "Size", "Attempt", "Wait", "Encode", "Mux", "Verify")
_MAX_DEPTH: Final = 12
_MAX_ENTRIES: Final = 500
_OPEN_DEPTH: Final = 1


def job_page(
    viewer: Viewer, job: pb.Job, manifest: Mapping[str, Any] | None, story: JobStory | None, story_fault: str
) -> str:
    """The whole screen."""
    job_id = job.job_id
    state = reading.job_state(job.state)
    here = f"/jobs/{quote(job_id, safe='')}"
    body = [
        h.div(".heading")[
            h.h1[h.bdi[job_id]],
            not state.has_ended
            and h.form(method="post", action="/jobs/cancel")[
                hidden_csrf(viewer),
                h.input(type="hidden", name="job", value=job_id),
                h.button(".danger", type="submit", data_confirm=f"Cancel {job_id}?")["Cancel"],
            ],
        ],
        not state.has_ended
        and h.figure(".preview")[
            h.img(
                id="preview",
                src=f"{here}/preview",
                data_every="1000",
                alt="The newest frame that is safe on the server",
            ),
            h.figcaption["Newest frame"],
        ],
        h.div(id="job", data_live=None if state.has_ended else f"{here}/live")[facts(job)],
        _artifacts(here, job),
        manifest
        and h.section[
            h.h2["Manifest"],
            _tree(manifest, 0),
            h.p[h.a(href=f"{here}/manifest.json", download=True)["As JSON"]],
        ],
        h.section[h.h2["Records"], _story(story) if story else problem(story_fault)],
    ]
    return page(job_id, "jobs", viewer, h.fragment[body])


def facts(job: pb.Job) -> h.Fragment:
    """What changes while the job runs."""
    state = reading.job_state(job.state)
    created = job.created_at.ToDatetime(UTC)
    ended = job.ended_at.ToDatetime(UTC) if job.HasField("ended_at") else None
    took = ((ended or datetime.now(UTC)) - created).total_seconds()
    return h.fragment[
        h.p(".facts")[
            state_mark(state.value),
            h.span[f"begun {clock(created)} UTC"],
            h.span[f"{'took' if ended else 'for'} {duration(took)}"],
            h.span[f"{job.persisted_frames or job.total_frames} frames received"],
        ],
        job.HasField("problem") and _problem(job.problem),
        h.section[
            h.h2["Timeline"],
            h.div(".table", tabindex="0", role="region", aria_label="Timeline")[
                h.table[
                    h.thead[h.tr[headings(_COLUMNS, words=frozenset({"Output", "State"}))]],
                    h.tbody[[_output_rows(output) for output in job.outputs]],
                ]
            ],
        ],
        bool(job.warnings)
        and h.section[h.h2["Warnings"], h.ul(".warnings")[[_warning(each) for each in job.warnings]]],
    ]  # fmt: skip


def _output_rows(output: pb.OutputStatus) -> h.Fragment:
    progress = reading.output_progress(output.progress)
    attempts: list[pb.OutputAttempt | None] = [*output.attempts] or [None]
    return h.fragment[
        [
            h.tr[
                h.th(scope="row")[progress.output],
                h.td[state_mark(progress.state.value)],
                h.td(".number")[f"{progress.frames_encoded}/{progress.frames_total or '?'}"],
                h.td(".number")[size(progress.bytes_written)],
                h.td(".number")[str(attempt.attempt if attempt else progress.attempt)],
                [h.td(".number")[_phase(attempt, name)] for name in ("wait", "encode", "mux", "verify")],
            ]
            for attempt in attempts
        ],
        output.HasField("problem") and h.tr[h.td(colspan="9")[_problem(output.problem)]],
    ]


def _phase(attempt: pb.OutputAttempt | None, name: str) -> str:
    field = f"{name}_duration"
    if attempt is None or not attempt.HasField(field):  # type: ignore[arg-type]  # one of four literals
        return "–"
    return duration(getattr(attempt, field).ToTimedelta().total_seconds())


def _problem(found: pb.Problem) -> h.Element:
    return h.div(".fault")[
        h.p[h.code[found.code], " ", plain(found.message)], h.p(".hint")[advice_of(found.code).recovery]
    ]


def _warning(found: pb.Warning) -> h.Element:
    where = f"{found.output}: " if found.output else ""
    return h.li[
        h.code[found.code], f" {where}{plain(found.message)}", h.p(".hint")[advice_of(found.code).recovery]
    ]


def _artifacts(here: str, job: pb.Job) -> h.Node:
    found = [artifact for output in job.outputs for artifact in output.artifacts]
    if not found:
        return None
    return h.section[h.h2["Artifacts"], h.div(".artifacts")[[_artifact(here, each) for each in found]]]


def _artifact(here: str, artifact: pb.Artifact) -> h.Element:
    address = f"{here}/artifacts/{quote(artifact.path)}"
    shown: h.Node = None
    if artifact.media_type in PLAYED:
        shown = h.video(
            src=address, controls=True, preload="metadata", loop=True, muted=True, playsinline=True
        )
    elif artifact.media_type in SHOWN:
        shown = h.img(src=address, loading="lazy", alt=f"Artifact {artifact.path}")
    return h.figure[
        shown,
        h.figcaption[
            h.a(href=f"{address}?download=1", download=True)[artifact.path],
            f" {size(artifact.size_bytes)}, {artifact.media_type} ",
            h.code(title=artifact.sha256)[artifact.sha256[:12]],
        ],
    ]


def _tree(value: object, depth: int) -> h.Node:
    """Values of a manifest as lists that fold."""
    if depth >= _MAX_DEPTH:
        return h.span["…"]
    if isinstance(value, Mapping):
        entries: Sequence[tuple[str, object]] = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list):
        entries = [(str(place), each) for place, each in enumerate(value)]
    else:
        return h.span(".value")[h.bdi["null" if value is None else plain(str(value), 2000)]]
    if not entries:
        return h.span(".value")["none"]
    items = [
        h.li[h.details(open=depth < _OPEN_DEPTH)[h.summary[plain(name)], _tree(each, depth + 1)]]
        if isinstance(each, Mapping | list) and each
        else h.li[h.span(".name")[plain(name)], " ", _tree(each, depth + 1)]
        for name, each in entries[:_MAX_ENTRIES]
    ]
    return h.ul(".tree")[items]


def _story(story: JobStory) -> h.Fragment:
    missing = story.expected_record_count - story.record_count
    return h.fragment[
        h.p(".facts")[
            h.span[f"{story.record_count} records"],
            h.span(".warned")[f"{missing} missing"] if missing > 0 else h.span["none missing"],
            h.span[f"{story.error_count} errors"],
            story.record_count > len(story.records) and h.span[f"the first {len(story.records)} are shown"],
        ],
        h.ul(".receipts")[
            [
                h.li[
                    h.bdi[plain(receipt.producer or receipt.service)],
                    f": {receipt.records} records, ",
                    h.span(".warned")[f"{receipt.missing} lost"] if receipt.missing else "no gap",
                ]
                for receipt in story.receipts
            ]
        ],
        h.ol(".records")[[row(view_of(line)) for line in story.records]],
    ]
