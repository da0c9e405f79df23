"""A file that was merely found in the working directory runs nothing and opens nothing outside of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from telecine.clients.settings import SdkConfig
from telecine.logging.configuration import LoggingSettings
from telecine.settings.loading import ConfigError, Loaded, load_config
from telecine.settings.trust import OPERATOR_ONLY, find_distrusted

from encoder_service.config import EncoderConfig
from log_collector.config import CollectorConfig

KINDS: dict[str, type[msgspec.Struct]] = {
    "encoder": EncoderConfig,
    "collector": CollectorConfig,
    "sdk": SdkConfig,
    "logging": LoggingSettings,
}


def load(section: str, directory: Path, **more: object) -> Loaded[msgspec.Struct]:
    """As a program in `directory` would."""
    settings: dict[str, object] = {"environ": {}, "directory": directory} | more
    return load_config(KINDS[section], prefix="X_", section=section, **settings)  # type: ignore[arg-type]


def faults(section: str, directory: Path, text: str) -> set[str]:
    """The keys that are refused in a file found there."""
    (directory / "telecine.toml").write_text(text)
    return distrusted(section, directory)


def distrusted(section: str, directory: Path, **more: object) -> set[str]:
    """The keys that are refused because nobody named the file."""
    try:
        load(section, directory, **more)
    except ConfigError as error:
        return {fault.key for fault in error.faults if "merely found in" in fault.expected}
    return set()


@pytest.mark.parametrize(
    ("section", "text", "key"),
    [
        ("encoder", 'worker_wrapper = ["/bin/sh", "-c", "echo pwned"]', "worker_wrapper"),
        ("encoder", 'worker_environment = ["LD_PRELOAD"]', "worker_environment"),
        ("encoder", 'allowed_encoder_options = { libx264 = ["stats"] }', "allowed_encoder_options"),
        ("encoder", 'data_dir = "/home/somebody/project"', "data_dir"),
        ("encoder", 'data_dir = "../project"', "data_dir"),
        ("encoder", 'data_dir = "~/project"', "data_dir"),
        ("encoder", 'data_dir = "link/below"', "data_dir"),
        ("encoder", 'font_directories = ["fonts", "/etc"]', "font_directories[1]"),
        ("encoder", '[encoder.host.tls]\ncert_file = "/etc/x.pem"', "host.tls.cert_file"),
        ("encoder", '[encoder.host]\nlisten = "unix:/tmp/elsewhere.sock"', "host.listen"),
        ("encoder", '[encoder.host]\ntemporary_directories = ["inside"]', "host.temporary_directories"),
        ("encoder", '[encoder.webhooks]\nca_file = "/etc/x.pem"', "webhooks.ca_file"),
        ("collector", 'data_dir = "/var/log"', "data_dir"),
        ("collector", '[collector.files]\ndirectory = "/etc/cron.d"', "files.directory"),
        ("collector", '[collector.redaction]\nrules_file = "/etc/passwd"', "redaction.rules_file"),
        (
            "collector",
            '[[collector.forward]]\nname = "a"\nroot_certificates = "/etc/passwd"',
            "forward[0].root_certificates",
        ),
        (
            "collector",
            '[[collector.forward]]\nname = "a"\nca_file = "/etc/passwd"',
            "forward[0].ca_file",
        ),
        ("sdk", 'data_dir = "/home/somebody/project"', "data_dir"),
        ("sdk", '[sdk.tls]\nprivate_key = "/root/.ssh/id_rsa"', "tls.private_key"),
        ("logging", 'directory = "/home/somebody/.ssh"', "directory"),
        ("logging", 'directory = ".."', "directory"),
        ("logging", 'spool_directory = "/tmp/elsewhere"', "spool_directory"),
    ],
)
@pytest.mark.filterwarnings("ignore:setting .* is called:FutureWarning")
def test_what_reaches_out_is_refused(tmp_path: Path, section: str, text: str, key: str) -> None:
    outside, work = tmp_path / "outside", tmp_path / "work"
    for directory in (outside, work):
        directory.mkdir()
    (work / "link").symlink_to(outside)
    text = text if text.startswith("[") else f"[{section}]\n{text}"
    assert faults(section, work, text) == {key}
    named = work / "telecine.toml"
    assert not distrusted(section, work, path=named)
    assert not distrusted(section, work, environ={"TELECINE_CONFIG": str(named)})


def test_all_else_of_a_found_file_is_taken(tmp_path: Path) -> None:
    text = """
        [encoder]
        workers = 3
        data_dir = "data/encoder"
        [encoder.host]
        listen = "127.0.0.1:0"
        [collector]
        data_dir = "data/logs"
        [sdk]
        server = "unix:/run/telecine.sock"
        data_dir = "data"
        [logging]
        directory = "logs"
        collector = "127.0.0.1:50052"
    """
    for section in KINDS:
        assert faults(section, tmp_path, text) == set()
    assert faults("logging", tmp_path, '[logging]\ndirectory = "off"') == set()


def test_a_reload_trusts_a_found_file_no_more_than_the_start(tmp_path: Path) -> None:
    path = tmp_path / "telecine.toml"
    path.write_text("[encoder]\nworkers = 2\n")
    loaded = load("encoder", tmp_path)
    assert loaded.load_again is not None
    path.write_text('[encoder]\nallowed_encoder_options = { libx264 = ["stats"] }\n')
    with pytest.raises(ConfigError, match="merely found"):
        loaded.load_again()
    path.write_text("[encoder]\nworkers = 4\n")
    again = loaded.load_again().load_again
    path.write_text('[encoder]\ndata_dir = "/elsewhere"\n')
    assert again is not None
    with pytest.raises(ConfigError, match="merely found"):
        again()


def test_what_the_environment_says_is_trusted_beside_a_found_file(tmp_path: Path) -> None:
    (tmp_path / "telecine.toml").write_text("[encoder]\nworkers = 2\n")
    environ = {"X_WORKER_WRAPPER": '["nice"]', "X_DATA_DIR": "/var/lib/telecine"}
    value = load("encoder", tmp_path, environ=environ).value
    assert isinstance(value, EncoderConfig)
    assert value.worker_wrapper == ("nice",)


class _Sink(msgspec.Struct, frozen=True):
    program: Annotated[tuple[str, ...], OPERATOR_ONLY] = ()
    file: Path | None = None


class _Config(msgspec.Struct, frozen=True):
    sinks: tuple[_Sink, ...] = ()
    by_name: dict[str, _Sink] = {}
    maybe: _Sink | None = None


def test_marks_are_found_however_deep_they_lie(tmp_path: Path) -> None:
    bad = {"program": ["x"], "file": "/etc/passwd"}
    tree = {"sinks": [{}, bad], "by_name": {"a": bad}, "maybe": bad}
    assert {key for key, _ in find_distrusted(_Config, tree, tmp_path)} == {
        f"{place}.{name}" for place in ("sinks[1]", "by_name.a", "maybe") for name in ("program", "file")
    }


def test_an_embedded_server_runs_no_command_of_a_foreign_directory(tmp_path: Path) -> None:
    called = tmp_path / "called"
    (tmp_path / "telecine.toml").write_text(
        f'[encoder]\nworker_wrapper = ["/bin/sh", "-c", "echo pwned > {called}"]\n'
    )
    program = (
        "import numpy, telecine\n"
        "with telecine.Client() as client:\n"
        "    client.encode(numpy.zeros((2, 32, 32, 3), numpy.uint8), fps=8, outputs=['png'])\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TELECINE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert not called.exists()
    said = done.stderr.decode()
    assert "EmbeddedUnavailableError" in said
    assert "worker_wrapper: is not taken from a file merely found in the working directory" in said
