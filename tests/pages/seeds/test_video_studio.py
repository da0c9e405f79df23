"""The video studio: each row's example runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import telecine
from telecine import Client, Output, Scale, TextOverlay
from telecine.cli.app import run
from telecine.exceptions import CircuitOpenError, InvalidRequestError
from telecine.logging import LogContext, get_logger, log_execution_time, operation, set_log_level
from telecine.retry import BreakerPolicy, CircuitBreaker, Retry, RetryPolicy, Runtime
from telecine.testing import draw_clip, encoder_server

from tests.pages.seeds.conftest import Records
from tests.pages.seeds.rows import shows

CLIP = draw_clip(8)


@shows(
    "`VideoConfig`: duration",
    'Aspect ratio ("16:9")',
    'Quality ("1080p")',
    "`TextOverlay`",
    "Default quality, default aspect ratio",
    "Asset management, rendering pipeline (planned)",
)
def test_the_basic_configuration(client: Client, tmp_path: Path) -> None:
    wide = Output(
        "mp4", name="wide", scale=Scale(size="240p", aspect_ratio="16:9"), quality="draft",
        overlays=[TextOverlay("Amazon, scene {seed}")], max_duration_seconds=0.5,
    )  # fmt: skip
    result = client.encode(CLIP, fps=8, outputs=[wide, "webm"], metadata={"seed": 42}, to=tmp_path)
    found = {output["name"]: output for output in result.manifest["outputs"]}
    assert [found["wide"]["readback"][name] for name in ("width", "height")] == [426, 240]
    assert found["wide"]["readback"]["duration_seconds"] == pytest.approx(0.5, abs=0.05)
    assert found["wide"]["overlays"][0]["text"] == "Amazon, scene 42"
    assert [found["webm"]["readback"][name] for name in ("width", "height")] == [64, 48]


def endless() -> Iterator[np.ndarray]:
    """Frames that end only because nobody wants them."""
    while True:
        yield CLIP[0]


@shows("`validate()`", "Error types of their own", "Recovery actions, messages with suggestions")
@pytest.mark.parametrize(
    ("output", "field"),
    [
        (Output("mp4", crf=999), "crf"),
        (Output("mp4", codec="h265x"), "codec"),
        (Output("mp4", options={"b": "1/../x"}), "b"),
        (Output("gif", scale=Scale(aspect_ratio="16:900")), "aspect_ratio"),
    ],
)
def test_wrong_settings_are_known_before_a_frame_is_sent(client: Client, output: Output, field: str) -> None:
    job = client.open_job(fps=8, outputs=[output], width=64, height=48, pixel_format="rgb24")
    with pytest.raises(telecine.TelecineError) as caught:
        job.push(endless())
    job.close()
    assert field in str(caught.value)
    assert caught.value.recovery
    assert caught.value.code == "INVALID_FIELD"
    with pytest.raises(telecine.exceptions.JobNotFoundError):
        client.get_job(job.job_id)
    assert run(["errors", caught.value.code]) == 0


@shows(
    "`TaskInfo`, `TaskStatus`",
    "Progress of tasks, notifications",
    "Base path of storage, temporary path",
)
def test_tasks(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    result = client.encode(CLIP, fps=8, on_progress=seen.append)
    states = [info.state for info in client.watch_job(result.job_id)]
    assert states[-1] == telecine.JobState.SUCCEEDED
    assert all(isinstance(each, telecine.Progress) for each in seen)
    assert run(["jobs", "show", result.job_id, "--server", client.settings.server or "", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "succeeded"


@shows("`log_task_start`, `log_task_progress`, `log_task_complete`")
def test_progress_of_own_tasks(records: Records) -> None:
    task = operation("video_generation", job_id="task_123").start()
    task.progress(0.5, "Generating scenes")
    task.set(output_url="https://videos.example/1").end()
    _, progress, complete = records()
    assert (progress["msg"], progress["progress_percent"], progress["job_id"]) == (
        "Generating scenes", 50, "task_123",
    )  # fmt: skip
    assert complete["output_url"] == "https://videos.example/1"
    assert complete["duration_ms"] >= 0


@shows("Maximum duration")
def test_a_longer_clip_is_refused(tmp_path: Path) -> None:
    with (
        encoder_server(settings={"max_clip_seconds": "0.5"}) as server,
        Client(server.address) as client,
        pytest.raises(telecine.TelecineError, match=r"may last 0\.5 s"),
    ):
        client.encode(CLIP, fps=8)


@shows("Circuit breaker", "Exponential backoff")
def test_breakers_and_backoff() -> None:
    waits: list[float] = []
    breaker = CircuitBreaker("luma", BreakerPolicy(failures_to_open=3, open_seconds=60))
    policy = RetryPolicy(max_attempts=4, initial_backoff_seconds=1, retry_on=ConnectionError)
    calls = Retry(policy, breaker=breaker, runtime=Runtime(sleep=waits.append, chance=lambda: 1.0))

    @calls
    def generate() -> None:
        raise ConnectionError("no route")

    with pytest.raises(CircuitOpenError):
        generate()
    assert waits[:2] == [1, 2]
    with pytest.raises(CircuitOpenError):
        generate()


@shows("`handle_generation_error(e, context)`", "Performance and metric logging")
def test_errors_with_context(records: Records) -> None:
    @log_execution_time(level="INFO")
    def generate() -> None:
        raise RuntimeError("model failed")

    with LogContext(job_id="task_123"):
        try:
            generate()
        except RuntimeError:
            get_logger("video_studio").exception("generation failed", task="t1")
    timed, failed = records()
    assert (timed["duration_ms"] >= 0, timed["error_type"]) == (True, "RuntimeError")
    assert (failed["job_id"], failed["task"], failed["error"]) == ("task_123", "t1", "model failed")


@shows("Loggers per area (models, workflow, rendering), each its level")
def test_a_level_for_each_area(records: Records) -> None:
    set_log_level("ERROR", "video_studio.models")
    get_logger("video_studio.models.luma").info("left out")
    get_logger("video_studio.workflow").info("kept")
    assert [record["msg"] for record in records()] == ["kept"]


@shows(
    "Configuration from JSON and YAML (and TOML), validated, all faults at once",
    "Variables over files, secrets from variables",
    "`VIDEO_STUDIO_MAX_CONCURRENT_TASKS`, `…_STORAGE_BASE_PATH`",
    "`VIDEO_STUDIO_LOG_LEVEL`, `…_DEBUG_MODE`",
    "Debug mode",
)
@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_one_file_for_all(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {
        "json": '{"encoder": {"max_running_jobs": 5}, "logging": {"level": "INFO"}}',
        "yaml": "encoder:\n  max_running_jobs: 5\nlogging:\n  level: INFO\n",
        "toml": '[encoder]\nmax_running_jobs = 5\n[logging]\nlevel = "INFO"\n',
    }
    path = tmp_path / f"telecine.{form}"
    path.write_text(texts[form])
    monkeypatch.setenv("TELECINE_CONFIG", str(path))
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "DEBUG")

    def found() -> dict[str, tuple[object, str]]:
        assert run(["config", "show", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["settings"]
        return {f"{row['section']}.{row['key']}": (row["value"], row["source"]) for row in rows}

    assert run(["config", "check", str(path)]) == 0
    capsys.readouterr()
    shown = found()
    assert str(shown["encoder.max_running_jobs"][0]) == "5"
    assert "TELECINE_LOG_LEVEL" in shown["logging.level"][1]
    monkeypatch.setenv("TELECINE_ENCODER_MAX_RUNNING_JOBS", "7")
    assert str(found()["encoder.max_running_jobs"][0]) == "7"
    path.write_text(texts[form].replace("max_running_jobs", "max_runing_jobs").replace("INFO", "LOUD"))
    assert run(["config", "check", str(path)]) != 0
    said = "".join(capsys.readouterr())
    assert "max_runing_jobs" in said
    assert "LOUD" in said


def test_unknown_arguments_name_those_there_are(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="audio"):
        client.encode(CLIP, fps=8, audio={"volume": 1})  # type: ignore[call-arg]
