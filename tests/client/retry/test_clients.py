"""The SDK's clients follow the policy they are given, tell each decision, and leave a dead server alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from telecine import Client
from telecine.exceptions import TelecineError, UnavailableError
from telecine.logging import configure_logging, shutdown_logging
from telecine.retry import RetryPolicy, circuits

from tests.eventually import eventually

NOBODY = "127.0.0.1:1"
SHORT = RetryPolicy(give_up_after_seconds=0.4, initial_backoff_seconds=0.02, max_backoff_seconds=0.05)

Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def decisions(tmp_path: Path) -> Iterator[Records]:
    configure_logging("worker", directory=tmp_path, console="off", level="INFO")

    def read() -> list[dict[str, Any]]:
        records = [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]
        return [record for record in records if record.get("stage") == "retry:decision"]

    yield read
    shutdown_logging()


def test_a_unary_call_reports_each_try_and_why_it_gives_up(decisions: Records) -> None:
    with Client(NOBODY, retry=SHORT) as client, pytest.raises(UnavailableError):
        client.get_job("j7")
    told = decisions()
    assert [record["attempt"] for record in told] == list(range(len(told)))
    assert {record["reason"] for record in told[:-1]} == {"again"}
    assert told[-1]["reason"] == "time_used_up"
    assert {record["call"] for record in told} == {"/telecine.encoder.v1.EncoderService/GetJob"}
    assert {record["level"] for record in told} == {"INFO"}


def test_an_upload_reports_each_lost_connection_with_its_job(decisions: Records) -> None:
    with Client(NOBODY, retry=SHORT) as client, pytest.raises(TelecineError):
        client.encode(np.zeros((2, 16, 16, 3), np.uint8), fps=8, job_id="j7")

    def uploads() -> list[dict[str, Any]]:
        return [record for record in decisions() if record["call"] == "Encode"]

    # The job's own thread tells it, beside the caller who has the error already.
    eventually(lambda: uploads()[-1]["reason"] == "time_used_up")
    assert {record["job_id"] for record in uploads()} == {"j7"}
    assert [record["connection"] for record in uploads()] == list(range(1, len(uploads()) + 1))


def test_calls_of_one_client_share_a_circuit() -> None:
    impatient = RetryPolicy(give_up_after_seconds=0)
    with Client(NOBODY, retry=impatient) as client:
        for _ in range(12):
            with pytest.raises(UnavailableError):
                client.get_job("j7")
        assert f"encoder {NOBODY}" in {found.name for found in circuits()}
        breaker = client.settings.calls.breaker
        assert breaker is not None
        circuit = breaker.snapshot()
        assert (circuit.failures, circuit.opened) == (10, 1)
        assert circuit.refused == 2
