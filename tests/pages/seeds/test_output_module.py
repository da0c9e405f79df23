"""Logging and output handlers: each row's example runs."""

from __future__ import annotations

import io
import json
import logging
import time
from pathlib import Path

import numpy as np
import pytest
import telecine
from telecine import Client, Output, TextOverlay
from telecine.logging import Level, LogConfig, configure_logging, get_logger, set_log_level
from telecine.testing import draw_clip

from tests.pages.seeds.conftest import records_of
from tests.pages.seeds.rows import shows

CLIP = draw_clip(6)


# --- logging ----------------------------------------------------------------------------------------


@shows(
    "`LogConfig(log_dir, log_level, fmt_type)`, one configuration for the process",
    "Structured logging, JSON by default",
    "Console handler on standard output",
    "Console and file at once, in the same format",
    "Configurable directory, \"logs\" by default",
    "Timestamp, level, logger name, message in all records; extra fields",
    "`extra={\"extra_fields\": {…}}` in log calls",
)  # fmt: skip
def test_the_logging_example(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    configure_logging(LogConfig(log_dir="logs", log_level="INFO", fmt_type="json"))
    logger = get_logger(__name__)
    logger.info("Processing started")
    try:
        raise ValueError("no frames")
    except ValueError:
        logger.error("Failed to process", exc_info=True)  # noqa: G201 - as the example has it
    logger.info("Generation complete", extra={"extra_fields": {"frames": 120, "duration": 4.0}})
    logging.getLogger("old").warning("plain", extra={"extra_fields": {"frames": 7}})
    (file,) = [path for path in (tmp_path / "logs").glob("*.log") if path.name != "errors.log"]
    assert capsys.readouterr().out == file.read_text()
    started, failed, complete, old = records_of(file)
    assert [started[name] for name in ("level", "logger", "msg")] == ["INFO", __name__, "Processing started"]
    assert started["timestamp"]
    assert (failed["error_type"], failed["error"]) == ("ValueError", "no frames")
    assert (complete["frames"], complete["duration"], old["frames"]) == (120, 4.0, 7)
    configure_logging(LogConfig(service="other", log_dir="elsewhere"))
    assert (tmp_path / "elsewhere" / "other.log").exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@shows("Console and file at once, in the same format")
def test_a_terminal_shows_lines_for_people_unless_a_format_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for form, is_same in (None, False), ("json", True), ("kv", True):
        terminal = Terminal()
        monkeypatch.setattr("sys.stdout", terminal)
        if form is not None:
            monkeypatch.setenv("TELECINE_LOG_FORMAT", form)
        configure_logging("w", directory=tmp_path / str(form)).info("done", frames=3)
        assert (terminal.getvalue() == (tmp_path / str(form) / "w.log").read_text()) is is_same


@shows("Configuring is optional")
def test_warnings_appear_before_logging_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("early").info("progress")
    get_logger("early").warning("High memory usage")
    shown = capsys.readouterr()
    assert (shown.out, "High memory usage" in shown.err, "progress" in shown.err) == ("", True, False)


@shows("Key-value format")
def test_key_value_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TELECINE_LOG_FORMAT", "kv")
    configure_logging("w", directory=tmp_path, console="off").info("done", frames=3)
    assert "level=INFO" in (tmp_path / "w.log").read_text()
    assert "frames=3" in (tmp_path / "w.log").read_text()


@shows(
    "DEBUG, INFO, WARNING, ERROR; a default level",
    "Level changed at run time",
    "Child loggers, hierarchical names",
)
def test_levels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "WARNING")
    configure_logging("w", directory=tmp_path, console="off")
    child = get_logger("app.child")
    child.info("left out")
    set_log_level("DEBUG", "app")
    child.debug("a detail")
    get_logger("other").info("left out too")
    set_log_level(Level.TRACE)
    get_logger("other").debug("all now")
    assert [(r["logger"], r["msg"]) for r in records_of(tmp_path / "w.log")] == [
        ("app.child", "a detail"), ("other", "all now"),
    ]  # fmt: skip


@shows("Rotating file, 10 MB and 5 backups, size and count configurable")
def test_files_rotate(tmp_path: Path) -> None:
    assert LogConfig().file_max_bytes is None
    log = configure_logging("w", directory=tmp_path, console="off", file_max_bytes=2000, file_backups=5)
    for n in range(200):
        log.info("a line of some length", n=n)
    assert sorted(path.name for path in tmp_path.glob("w.log*") if path.suffix != ".lock") == [
        "w.log", *(f"w.log.{number}" for number in range(1, 6)),
    ]  # fmt: skip


@shows("*Future:* asynchronous logging")
def test_a_call_waits_for_no_network(tmp_path: Path) -> None:
    log = configure_logging("w", directory=tmp_path, console="off", collector="127.0.0.1:1", flush_seconds=0)
    began = time.monotonic()
    for n in range(100):
        log.info("x", n=n)
    assert time.monotonic() - began < 1
    assert list((tmp_path / "spool").rglob("*"))


# --- output -----------------------------------------------------------------------------------------


@shows(
    "`save_generation(frames, metadata, formats, fps)`",
    "MP4 (H.264) and WebM (VP9)",
    "PNG frames, numbered, in frames/, with a prefix",
    "Timestamped directory per generation, configurable base",
    "JSON manifest with parameters, timestamps, any metadata, pretty-printed",
    "Fallback to available formats, unknown formats skipped",
    "*Future:* frames written in parallel",
)
def test_the_output_example(client: Client, tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    saved = telecine.save_generation(
        frames=frames, metadata={"prompt": "test", "seed": 42},
        formats=["png", "webp", "mp4", "webm", "holo"],
        fps=30, base_dir="test_outputs", prefix="test_frame", server=client.settings.server,
    )  # fmt: skip
    assert saved.directory.parent.name == "test_outputs"
    assert time.strptime(saved.directory.name[:15], "%Y%m%d_%H%M%S")
    assert [path.name for path in saved.files["png"]][:2] == ["test_frame_00000.png", "test_frame_00001.png"]
    assert saved.files["png"][0].parent == saved.directory / "frames"
    assert list(saved.skipped) == ["holo"]
    text = saved.manifest_path.read_text()
    manifest = json.loads(text)
    assert (manifest["metadata"]["prompt"], text.count("\n") > 20) == ("test", True)
    assert manifest["timestamp"]
    codecs = {o["name"]: o["encoder"]["codec"] for o in manifest["outputs"] if o.get("encoder")}
    assert (codecs["test_frame_mp4"], codecs["test_frame_webm"]) == ("h264", "vp9")


@shows(
    "Configurable rate, codec, bit rate",
    "WebP animations, rate or duration of a frame",
    "*Future:* AV1, H.265",
    "*Future:* GIF",
)
def test_rates_and_codecs(client: Client, tmp_path: Path) -> None:
    outputs = [
        Output("mp4", name="hevc", codec="hevc"),
        Output("mp4", name="av1", codec="av1"),
        Output("webp", fps=4),
        Output("gif"),
        Output("webm", bit_rate="200k", fps=12),
    ]
    result = client.encode(CLIP, fps=8, outputs=outputs, to=tmp_path)
    found = {output["name"]: output for output in result.manifest["outputs"]}
    assert {name: found[name]["encoder"]["codec"] for name in ("hevc", "av1", "webm")} == {
        "hevc": "hevc", "av1": "av1", "webm": "vp9",
    }  # fmt: skip
    assert found["webp"]["readback"]["duration_seconds"] == pytest.approx(1.5)
    assert found["webm"]["readback"]["duration_seconds"] == pytest.approx(0.5, abs=0.1)
    assert (tmp_path / "gif.gif").read_bytes().startswith(b"GIF8")


@shows("Format of frames found out by itself", "*Future:* own preprocessing of frames")
def test_frames_of_any_kind(client: Client) -> None:
    from PIL import Image

    images = [Image.fromarray(frame) for frame in CLIP]
    floats = CLIP.astype(np.float32) / 255
    preprocessed = (255 - frame for frame in CLIP)
    for frames in (CLIP, list(CLIP), images, floats, preprocessed):
        result = client.encode(frames, fps=8, outputs=[Output("mp4", overlays=[TextOverlay("x")])])
        assert result.manifest["outputs"][0]["frames"]["sent"] == 6


@shows("Missing encoders handled gracefully, `EncoderMissingError`")
def test_missing_encoders(client: Client) -> None:
    result = client.encode(CLIP, fps=8, outputs=["mp4", "holo"], skip_unavailable=True)
    assert [warning.code for warning in result.warnings] == ["OUTPUT_SKIPPED"]
    with pytest.raises(telecine.TelecineError, match="holo"):
        client.encode(CLIP, fps=8, outputs=["mp4", "holo"])
    assert issubclass(telecine.exceptions.EncoderUnavailableError, telecine.TelecineError)
