"""The programs of examples/frameworks run in the frameworks that they are for (`make compat`)."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from telecine.clients.embedded import EmbeddedServer

from encoder_service.worker.verification.verify import verify

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "frameworks"
pytestmark = pytest.mark.compat


@pytest.fixture(autouse=True)
def server(encoder: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_SERVER", encoder.address)


def _program(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_endpoint_answers_with_the_clip() -> None:
    from fastapi.testclient import TestClient

    with TestClient(_program("fastapi_endpoint").app) as client:
        answers = [client.post("/clips", params={"red": red}) for red in (10, 10, 250)]
    assert [(each.status_code, each.headers["content-type"]) for each in answers] == [(200, "video/mp4")] * 3
    assert answers[0].content[4:8] == b"ftyp"
    assert answers[0].content == answers[1].content != answers[2].content


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_task_that_runs_twice_is_one_job(tmp_path: Path) -> None:
    task = _program("celery_task").encode_clip
    to = tmp_path / "clip.mp4"
    first, again = (task.apply((200, str(to)), task_id="task-1").get() for _ in range(2))
    assert first == again
    assert first["job_id"] == "task-1"
    assert verify(to).is_sound
    assert hashlib.sha256(to.read_bytes()).hexdigest() == first["sha256"]
