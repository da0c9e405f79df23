"""Failpoints strike where a plan says and nowhere else."""

from __future__ import annotations

import pytest

from encoder_service.failpoints import FailpointPlan


def test_a_plan_strikes_at_its_point_at_the_nth_visit() -> None:
    plan = FailpointPlan("kill_at:here:2")
    assert [plan.is_due(point) for point in ("there", "here", "here", "here")] == [False, False, True, False]


def test_without_a_plan_nothing_ever_strikes() -> None:
    assert not any(FailpointPlan("").is_due(point) for point in ("", "here"))


def test_a_plan_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="kill_at"):
        FailpointPlan("explode_at:here")
