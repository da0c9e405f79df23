"""`telecine config` shows what is in force and why, checks files whole, and prints schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from telecine.cli.app import run
from telecine.clients.blocking import Client
from telecine.clients.settings import settings_of
from telecine.exceptions import InvalidRequestError
from telecine.logging import LogConfigError
from telecine.logging.configuration import log_config, logging_from_file
from telecine.request.options import KeepAlive

EVERYTHING = """
[encoder]
workers = 3
spool_quota_bytes = "20GiB"
webhooks = { secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" }

[collector]
reload_poll_seconds = "2s"

[sdk]
server = "encoder:50051"
retained_bytes = "64MiB"
retry = { give_up_after_seconds = "1m" }
tls = { ca_file = "ca.pem" }

[logging]
level = "debug"
directory = "off"
sampling = { "encode:progress" = 10 }
"""


@pytest.fixture
def everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for everything, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "telecine.toml"
    path.write_text(EVERYTHING)
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[Any, str]]:
    """What `config show` prints: value and source by key."""
    assert run(["config", "show", "--json", *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    return {f"{row['section']}.{row['key']}": (row["value"], row["source"]) for row in rows}


def test_every_setting_is_shown_with_where_it_comes_from(
    everything: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_ENCODER_ATTEMPTS", "5")
    monkeypatch.setenv("TELECINE_LOG_LEVEL", "error")
    monkeypatch.setenv("TELECINE_SERVER", "other:1")
    found = shown(capsys, "--set", "encoder.max_outputs_per_job=4")
    assert found["encoder.workers"] == (3, "file telecine.toml")
    assert found["encoder.spool_quota_bytes"] == (20 << 30, "file telecine.toml")
    assert found["encoder.attempts"] == (5, "env TELECINE_ENCODER_ATTEMPTS")
    assert found["encoder.max_outputs_per_job"] == (4, "flag")
    assert found["encoder.max_job_seconds"] == (7200.0, "default")
    assert found["encoder.webhooks.secret"] == ("***redacted***", "file telecine.toml")
    assert found["encoder.webhooks.previous_secret"] == ("", "default"), "it is not set"
    assert found["encoder.host.tls.cert_file"] == (None, "default")
    assert found["sdk.shares_memory"] == (True, "default")
    assert found["collector.reload_poll_seconds"] == (2.0, "file telecine.toml")
    assert found["sdk.server"] == ("other:1", "env TELECINE_SERVER")
    assert found["logging.level"] == ("ERROR", "env TELECINE_LOG_LEVEL")
    assert found["logging.directory"] == (None, "file telecine.toml")


def test_one_section_is_shown_for_people_too(everything: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "encoder"]) == 0
    text = capsys.readouterr().out
    assert "encoder.workers" in text
    assert "sdk." not in text
    assert "c2VjcmV0" not in text


def test_a_sound_file_ends_with_0(everything: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", str(everything)]) == 0
    assert "encoder, collector, sdk, logging" in capsys.readouterr().out


def test_all_faults_of_all_sections_are_reported_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.json"
    tree: dict[str, Any] = {
        "encoder": {"workerz": 1, "attempts": 0},
        "sdk": {"retry": {"max_backoff_seconds": "soon"}},
        "logging": {"level": "LOUD"},
        "extra": {},
    }
    path.write_text(json.dumps(tree))
    assert run(["config", "check", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {fault["key"] for fault in found["faults"]} == {
        "encoder.workerz",
        "encoder.attempts",
        "sdk.retry.max_backoff_seconds",
        "logging.level",
        "extra",
    }
    assert found["is_sound"] is False


def test_a_file_of_one_program_is_recognised_or_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("workers: 2\nattempts: 1\n")
    assert run(["config", "check", str(own)]) == 0
    own.write_text("something: 2\n")
    assert run(["config", "check", str(own)]) == 1
    assert "--as" in capsys.readouterr().out
    assert run(["config", "check", str(own), "--as", "encoder"]) == 1
    assert "something: unknown setting" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "absent.toml"],
        ["check", "telecine.toml", "--as", "nobody"],
        ["show", "nobody"],
        ["show", "--set", "workers=1"],
        ["show", "--config", "absent.toml"],
    ],
)
def test_wrong_usage_ends_with_2(everything: Path, arguments: list[str]) -> None:
    assert run(["config", *arguments]) == 2


def test_the_schema_takes_what_the_programs_take_and_refuses_what_they_refuse(
    everything: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tomllib

    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(tomllib.loads(EVERYTHING))) == []
    for wrong in ({"encoder": {"workers": -1}}, {"encoder": {"workerz": 1}}, {"nobody": {}}):
        assert list(validator.iter_errors(wrong))
    assert "Worker processes" in json.dumps(schema["$defs"]["encoder_EncoderConfig"]["properties"]["workers"])


@pytest.mark.parametrize("section", ["encoder", "collector", "sdk", "logging"])
def test_each_section_has_a_schema_of_its_own(section: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema", section]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


# --- the SDK and its logging read the same file --------------------------------------------------


def test_a_client_is_as_the_file_says_where_its_caller_says_nothing(
    everything: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = settings_of(None, None, None, None, None, None)
    assert configured.server == "encoder:50051"
    assert configured.retained_bytes == 64 << 20
    assert configured.retry.give_up_after_seconds == 60
    assert configured.tls is not None
    assert configured.tls.ca_file == "ca.pem"
    monkeypatch.setenv("TELECINE_SDK_RETAINED_BYTES", "1MiB")
    said = settings_of("mine:1", None, KeepAlive(interval_seconds=11), None, 5, 7.0)
    assert (said.server, said.retained_bytes, said.call_timeout_seconds) == ("mine:1", 5, 7.0)
    assert said.keep_alive.interval_seconds == 11
    assert settings_of(None, None, None, None, None, None).retained_bytes == 1 << 20


def test_a_wrong_file_is_one_clear_error_of_the_client(everything: Path) -> None:
    everything.write_text("[sdk]\nsever = 'x'\nretained_bytes = 'much'\n")
    with pytest.raises(InvalidRequestError) as caught:
        Client("127.0.0.1:1")
    assert 'did you mean "server"?' in str(caught.value)
    assert "retained_bytes" in str(caught.value)


def test_logging_is_as_the_file_says_under_environment_and_arguments(everything: Path) -> None:
    from_file = logging_from_file({})
    config = log_config("worker", {"env": "prod"}, {"TELECINE_LOG_LEVEL": "error"}, from_file)
    assert config.level.name == "ERROR"
    assert config.directory is None
    assert config.env == "prod"
    assert config.sampling == {"encode:progress": 10}
    assert log_config("worker", {}, {}, from_file).level.name == "DEBUG"


def test_a_wrong_section_of_logging_is_reported_whole(everything: Path) -> None:
    everything.write_text("[logging]\nlevel = 'LOUD'\nconsole = 'printer'\n")
    with pytest.raises(LogConfigError) as caught:
        logging_from_file({})
    assert "level" in str(caught.value)
    assert "console" in str(caught.value)
