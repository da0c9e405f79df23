"""A service that a whole network reaches asks for TLS, for credentials, or for the word --insecure."""

from __future__ import annotations

import subprocess
import sys

import pytest
from structlog.testing import capture_logs
from telecine.settings.loading import ConfigError, load_config

from service_host.auth.exposure import exposure_fault, exposure_warnings
from service_host.auth.key_file import write_keys
from service_host.host import Host, running
from service_host.settings.auth_config import AuthConfig
from service_host.settings.host_config import HostConfig
from service_host.tls.config import TlsConfig
from tests.service_host.tiny_service import TinyConfig, TinyService

OPEN = ["0.0.0.0:0", "[::]:0", "10.0.0.7:0", "[fe80::1]:0", "encoder.example:0", "127.0.0.1.example.com:0"]
PRIVATE = ["127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "localhost:0", "unix:/tmp/telecine.sock"]


@pytest.mark.parametrize("listen", PRIVATE)
def test_what_stays_on_the_machine_needs_nothing(listen):
    assert exposure_fault(HostConfig(listen=listen)) == ""
    assert not list(exposure_warnings(HostConfig(listen=listen)))


@pytest.mark.parametrize("field", ["listen", "admin_listen"])
@pytest.mark.parametrize("address", OPEN)
def test_what_others_reach_needs_one_of_three_settings(field, address, tmp_path):
    fault = exposure_fault(HostConfig(**{field: address}))
    assert address in fault
    for setting in ("host.tls", "host.auth", "--insecure"):
        assert setting in fault
    files = {"cert_file": tmp_path / "cert", "key_file": tmp_path / "key"}
    for enough in (
        {"tls": TlsConfig(**files)},
        {"auth": AuthConfig(keys_file=tmp_path / "keys")},
        {"is_insecure": True},
    ):
        assert exposure_fault(HostConfig(**{field: address}, **enough)) == ""


def test_what_is_allowed_and_open_is_still_said():
    def events(**settings):
        return [event for event, _ in exposure_warnings(HostConfig(listen="0.0.0.0:0", **settings))]

    assert events(is_insecure=True) == ["everybody_may_come_in"]
    assert events(auth=AuthConfig(keys_file="keys")) == ["credentials_travel_in_clear"]
    files = {"cert_file": "cert", "key_file": "key"}
    assert events(tls=TlsConfig(**files)) == ["everybody_may_come_in"]
    assert events(tls=TlsConfig(**files), auth=AuthConfig(keys_file="keys")) == []
    assert events(tls=TlsConfig(**files, client_ca_file="ca")) == []


async def test_the_warning_stands_in_the_log_at_each_start():
    config = HostConfig(listen="0.0.0.0:0", is_insecure=True, stop_grace_seconds=0.1)
    with capture_logs() as logged:
        async with running(Host(TinyService(), config)):
            pass
    assert [entry["what"] for entry in logged if entry["event"] == "everybody_may_come_in"]


def start(*arguments):
    command = [sys.executable, "-m", "tests.service_host.tiny_service", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_refuses_and_names_the_settings(tmp_path):
    for mode in ([], ["--check-config"]):
        done = start("--listen", "0.0.0.0:0", *mode)
        assert done.returncode == 2
        assert "--insecure" in done.stderr
    assert start("--listen", "0.0.0.0:0", "--insecure", "--check-config").returncode == 0
    keys = tmp_path / "keys.json"
    write_keys(keys, ())
    said = ["--set", f"host.auth.keys_file={keys}"]
    assert start("--listen", "0.0.0.0:0", *said, "--check-config").returncode == 0


def test_a_file_merely_found_cannot_open_a_service(tmp_path):
    (tmp_path / "telecine.toml").write_text("[tiny.host]\nis_insecure = true\n")
    with pytest.raises(ConfigError, match="is_insecure"):
        load_config(TinyConfig, prefix="TELECINE_TINY_", section="tiny", environ={}, directory=tmp_path)
