"""One set of settings says how every client connects; old names still work, with a hint."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from telecine import Tls
from telecine.clients.settings import ClientSettings, load_sdk_config, settings_of
from telecine.exceptions import InvalidRequestError
from telecine.logging.configuration import LogConfigError, log_config, logging_from_file
from telecine.logging.shipping import shipping_process
from telecine.settings.loading import ConfigError
from telecine.tls.pem_files import PemFiles, TlsFileError
from telecine.tls.settings import common_tls

from tests.service_host.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(server: str | None, tls: Tls | None = None) -> ClientSettings:
    return settings_of(server, tls, None, None, None, None)


def test_what_is_closer_to_the_client_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "telecine.toml"
    file.write_text('[tls]\nca_file = "file.pem"\nserver_name = "file"\n')
    monkeypatch.setenv("TELECINE_CONFIG", str(file))
    assert settings("host:1").tls == Tls(ca_file="file.pem", server_name="file")
    monkeypatch.setenv("TELECINE_TLS_CA_FILE", "environment.pem")
    assert settings("host:1").tls == Tls(ca_file="environment.pem", server_name="file")
    file.write_text('[tls]\nca_file = "file.pem"\n[sdk.tls]\nca_file = "sdk.pem"\n')
    assert settings("host:1").tls == Tls(ca_file="sdk.pem")
    assert settings("host:1", Tls(ca_file="argument.pem")).tls == Tls(ca_file="argument.pem")
    assert settings("host:1", Tls(insecure=True)).tls == Tls(insecure=True)


@pytest.mark.parametrize("server", [None, "unix:/run/telecine.sock"])
def test_what_is_for_every_client_is_not_for_sockets_of_this_machine(
    server: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELECINE_TLS_CA_FILE", "ca.pem")
    assert settings(server).tls is None


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"CERT_FILE": "c.pem"}, "key_file: cert_file and key_file must be given together"),
        ({"CA_FILE": "c.pem", "INSECURE": "yes"}, "insecure: leave it out, or the files"),
        ({"CAFILE": "c.pem"}, 'did you mean "ca_file"'),
    ],
)
def test_settings_that_do_not_fit_are_named(variables: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        common_tls({f"TELECINE_TLS_{name}": value for name, value in variables.items()})


@pytest.mark.parametrize(
    ("old", "new"),
    [("root_certificates", "ca_file"), ("private_key", "key_file"), ("certificate_chain", "cert_file")],
)
def test_old_names_work_with_a_hint(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=new):
        assert Tls(**{old: "a.pem"}) == Tls(**{new: "a.pem"})
    with pytest.raises(TypeError, match="both given"):
        Tls(**{old: "a.pem", new: "b.pem"})
    pair = {"CERT_FILE": "c", "KEY_FILE": "k"}
    others = {f"TELECINE_SDK_TLS__{name}": path for name, path in pair.items() if name != new.upper()}
    variable = f"TELECINE_SDK_TLS__{old.upper()}"
    with pytest.warns(FutureWarning, match=new):
        configured = load_sdk_config(others | {variable: "a.pem"}).value
    assert getattr(configured.tls, new) == Path("a.pem")
    with pytest.raises(InvalidRequestError, match=f"{old}.*old name of {new}"):
        load_sdk_config(others | {variable: "a.pem", f"TELECINE_SDK_TLS__{new.upper()}": "b.pem"})


def test_logging_takes_the_same_settings_and_looks_at_the_files_at_once(
    authority: Authority, tmp_path: Path
) -> None:
    environ = {"TELECINE_TLS_CA_FILE": str(authority.ca_file)}
    arguments = {"collector": "host:1"}
    assert log_config("x", arguments, environ).tls == Tls(ca_file=str(authority.ca_file))
    assert log_config("x", {"collector": "unix:/run/c"}, environ).tls is None
    file = tmp_path / "telecine.toml"
    file.write_text(f'[logging]\ncollector = "host:1"\n[logging.tls]\nca_file = "{authority.ca_file}"\n')
    said = logging_from_file({}, file)
    assert log_config("x", {}, {}, said).tls == Tls(ca_file=str(authority.ca_file))
    for wrong, fault in (
        (Tls(ca_file="/no/such.pem"), "ca_file.*found none at"),
        ("a text", "tls: expected Tls"),
    ):
        with pytest.raises(LogConfigError, match=fault):
            log_config("x", arguments | {"tls": wrong}, {})
    with pytest.raises(LogConfigError, match="insecure"):
        log_config("x", {"collector": "tls://host:1", "tls": Tls(insecure=True)}, {})


def test_the_process_that_ships_for_children_gets_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[bytes] = []

    def record(*_: object, input: bytes, **__: object) -> object:  # noqa: A002 - its name in subprocess.run
        given.append(input)
        raise OSError

    monkeypatch.setattr(shipping_process.subprocess, "run", record)
    tls = Tls(ca_file=Path("ca.pem"), server_name="name")
    shipping_process.launch_helper(tmp_path, "host:1", 1.0, tls)
    assert Tls(**json.loads(given[0])["tls"]) == Tls(
        ca_file=str(Path("ca.pem").absolute()), server_name="name"
    )


def test_a_clients_files_are_taken_when_they_fit_again(authority: Authority) -> None:
    cert_file, key_file = authority.issue("client")
    tls = Tls(ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file)
    files = PemFiles(tls)
    assert not files.has_changed()
    good, whole = files.pem, cert_file.read_bytes()
    cert_file.write_bytes(whole[:100])
    assert not files.has_changed()
    cert_file.unlink()
    assert not files.has_changed()
    assert files.pem is good
    authority.issue("client")
    assert files.has_changed()
    assert files.pem.certificate == cert_file.read_bytes() != good.certificate
    assert not files.has_changed()
    os.utime(cert_file)
    assert not files.has_changed(), "only the time is another"
    with pytest.raises(TlsFileError, match=r"tls\.key_file: expected one beside tls\.cert_file"):
        PemFiles(Tls(cert_file=cert_file))
