"""The configuration: everything that is wrong is told at once, before the port opens."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from telecine.settings.loading import ConfigError, load_config

from encoder_service.config import EncoderConfig


def test_defaults_are_right_by_themselves() -> None:
    config = load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}).value
    assert config == EncoderConfig()
    assert list(config.find_faults()) == []
    assert config.worker_count >= 1
    assert config.codec_threads >= 1
    assert config.root.is_absolute()


def test_sizes_and_times_may_be_written_with_units() -> None:
    environ = {"TELECINE_ENCODER_SPOOL_QUOTA_BYTES": "20GiB", "TELECINE_ENCODER_MAX_JOB_SECONDS": "2m"}
    config = load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ=environ).value
    assert config.spool_quota_bytes == 20 << 30
    assert config.max_job_seconds == 120


def test_limits_that_contradict_each_other_are_reported_together() -> None:
    overrides = {
        "max_job_bytes": "100GiB",
        "max_chunk_bytes": "4MiB",
        "attempts": "0",
        "worker_niceness": "20",
        "no_such": "1",
    }
    with pytest.raises(ConfigError) as wrong:
        load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}, overrides=overrides)
    text = str(wrong.value)
    for name in ("attempts", "worker_niceness", "no_such"):
        assert name in text
    with pytest.raises(ConfigError) as contradicting:
        load_config(
            EncoderConfig,
            prefix="TELECINE_ENCODER_",
            environ={},
            overrides={"max_job_bytes": "100GiB", "max_chunk_bytes": "4MiB"},
        )
    assert {fault.key for fault in contradicting.value.faults} == {"max_job_bytes", "max_chunk_bytes"}


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("worker_memory_bytes", "5", "0 or at least 134217728"),
        ("worker_memory_bytes", "127MiB", "0 or at least 134217728"),
        ("worker_command", "nice", "worker_wrapper names"),
        ("assignments_per_worker", "2", "is gone after"),
        ("spool_reserve_bytes", "5", "is gone after"),
        ("spool_reserve_seconds", "5", "is gone after"),
    ],
)
def test_what_no_worker_could_start_with_or_an_upgrade_leaves_is_refused_with_the_way_out(
    setting: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}, overrides={setting: value})
    assert "did you mean" not in str(refused.value)


def test_a_bound_on_workers_memory_may_be_left_out() -> None:
    for value in ("0", "128MiB"):
        overrides = {"worker_memory_bytes": value}
        load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}, overrides=overrides)


SECRET = "whsec_" + base64.b64encode(b"only for this test, of no use").decode()
URL = "https://user:PASSTOKEN@hooks.example.com/T0/PATHTOKEN?token=QUERYTOKEN"


def webhooks(tmp_path: Path, url: str) -> Path:
    """A configuration file that notifies one receiver of every job."""
    path = tmp_path / "telecine.toml"
    lines = ["[webhooks]", f'secret = "{SECRET}"', 'allowed_hosts = ["hooks.example.com"]']
    path.write_text("\n".join([*lines, "[[webhooks.endpoints]]", f'url = "{url}"', ""]))
    return path


def test_of_a_webhook_the_host_alone_is_shown(tmp_path: Path) -> None:
    """Its path and query are what lets one post there."""
    path = webhooks(tmp_path, URL.replace("user:PASSTOKEN@", ""))
    loaded = load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}, path=path)
    shown = f"{json.dumps(loaded.redacted(), default=str)}\n{loaded.describe()}"
    assert "TOKEN" not in shown
    assert SECRET not in shown
    assert "https://hooks.example.com/***redacted***" in shown
    assert loaded.redacted()["webhooks"]["allowed_hosts"] == ["hooks.example.com"]


@pytest.mark.parametrize("url", [URL, URL.replace("https", "gopher"), URL.replace(".com", ".com:99999")])
def test_what_is_said_of_a_wrong_webhook_does_not_hold_it(tmp_path: Path, url: str) -> None:
    path = webhooks(tmp_path, url)
    with pytest.raises(ConfigError) as wrong:
        load_config(EncoderConfig, prefix="TELECINE_ENCODER_", environ={}, path=path)
    assert "webhooks.endpoints[0].url" in str(wrong.value)
    assert "TOKEN" not in str(wrong.value)
