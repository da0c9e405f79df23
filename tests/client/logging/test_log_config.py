"""`LogConfig` is the arguments of `configure_logging` as one value, by the names of other modules too."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from pathlib import Path

import pytest
from telecine.logging import LogConfig, LogConfigError, configure_logging, get_logger


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_config_is_all_that_configure_logging_needs(tmp_path: Path) -> None:
    config = LogConfig(service="wan", directory=tmp_path / "here", level="DEBUG", console="off", env="prod")
    log = configure_logging(config)
    log.debug("detail")
    (record,) = [json.loads(line) for line in (tmp_path / "here" / "wan.log").read_text().splitlines()]
    assert (record["service"], record["env"], record["level"]) == ("wan", "prod", "DEBUG")


def test_the_names_of_the_output_modules_config_are_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(LogConfig(log_dir="logs", log_level="INFO", fmt_type="json"))
    get_logger("handlers").info("Generation complete", extra={"extra_fields": {"frames": 120}})
    (file,) = [path for path in (tmp_path / "logs").glob("*.log") if path.name != "errors.log"]
    assert file.read_text() == capsys.readouterr().out
    assert json.loads(file.read_text())["frames"] == 120
    configure_logging(LogConfig(log_dir="other", fmt_type="key-value"))
    get_logger("handlers").info("done")
    assert "msg=done" in capsys.readouterr().out
    assert "msg=done" in (tmp_path / "other" / file.name).read_text()


def test_arguments_win_over_the_config_and_the_config_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("TELECINE_LOG_ENV", "staging")
    config = LogConfig(service="wan", level="INFO", console="off", directory="a")
    configure_logging(config, directory="b").info("x")
    assert json.loads((tmp_path / "b" / "wan.log").read_text())["env"] == "staging"
    assert not (tmp_path / "a").exists()
    assert LogConfig(service="wan", has_files=False).arguments() == {}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (LogConfig(service="a b"), "service"),
        (LogConfig(log_level="LOUD"), "level"),
        (LogConfig(log_dir=5), "directory"),  # type: ignore[arg-type]
        (LogConfig(fmt_type="xml"), "file_format"),
        (LogConfig(log_dir="a", directory="b"), "log_dir and directory"),
        (LogConfig(file_max_bytes=[1]), "file_max_bytes"),  # type: ignore[arg-type]
        (LogConfig(redaction_rules=5), "redaction_rules: expected RulePack"),  # type: ignore[arg-type]
        (LogConfig(level=[1]), "level"),  # type: ignore[arg-type]
        (LogConfig(directory={}, spool_directory=[1]), "directory.*spool_directory"),  # type: ignore[arg-type]
        (LogConfig(redaction_key="k"), "redaction_key"),  # type: ignore[arg-type]
        (LogConfig(spool_limits={}), "spool_limits"),  # type: ignore[arg-type]
    ],
)
def test_a_config_that_cannot_be_used_is_one_error(config: LogConfig, told: str) -> None:
    with pytest.raises(LogConfigError, match=told):
        configure_logging(config)


def test_config_and_arguments_have_the_same_names() -> None:
    arguments = inspect.signature(configure_logging).parameters
    own = {field.name for field in fields(LogConfig)}
    assert own - {"log_dir", "log_level", "fmt_type"} == arguments.keys()


def test_a_variable_that_sets_several_fields_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECINE_LOG_FORMAT", "xml")
    with pytest.raises(LogConfigError) as caught:
        configure_logging("wan")
    assert str(caught.value).count("TELECINE_LOG_FORMAT") == 1
    assert [fault.field for fault in caught.value.faults] == ["TELECINE_LOG_FORMAT"]
