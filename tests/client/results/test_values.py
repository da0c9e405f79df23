"""What a caller gets back can be looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from telecine.results.values import EncodeResult, JobInfo, JobState


def test_a_result_prints_without_its_manifest() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    job = JobInfo("j7", JobState.SUCCEEDED, now, now, 0, 0, (), (), None, 0)
    result = EncodeResult(job, (), b'{"prompt": "a red fox"}')
    assert "j7" in repr(result)
    assert "red fox" not in repr(result)
    assert result.manifest == {"prompt": "a red fox"}
