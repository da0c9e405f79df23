"""A fork costs a program that logs nearly nothing: most children of a fork start another program at once."""

from __future__ import annotations

from telecine.logging.pipeline import Pipeline
from telecine.logging.redaction import Redactor


def test_a_forked_child_looks_for_no_secrets_before_it_logs() -> None:
    """The rules would be compiled for it: 40 ms for each child, also for one that never logs."""
    looked_at: list[bytes] = []
    redactor = Redactor(prefers_fast_start=True)
    scan = redactor.scan

    def counted(raw: bytes) -> bool:
        looked_at.append(raw)
        return scan(raw)

    redactor.scan = counted
    pipeline = Pipeline("worker", "dev", redactor, ())
    rendered = [pipeline.source(name) for name in ("app", "app.video", "")]
    looked_at.clear()
    pipeline.forked()
    assert [pipeline.source(name) for name in ("app", "app.video", "")] == rendered
    assert looked_at == []
