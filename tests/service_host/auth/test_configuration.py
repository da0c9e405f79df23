"""Every fault of the settings that say who may come in is named before the service starts."""

from __future__ import annotations

import json

import pytest
from telecine.settings.loading import ConfigError, load_config

from service_host.auth.key_file import MAX_FILE_BYTES, KeyFileError, id_of, new_key, read_keys, write_keys
from service_host.auth.scopes import Scope
from tests.service_host.auth.test_hostile_credentials import NOW
from tests.service_host.tiny_service import TinyConfig

GOOD = {
    "issuer": "https://id.example",
    "audience": ["telecine"],
    "jwks_url": "https://id.example/k",
    "tenant": "a",
}

FAULTY_ISSUERS = [
    ({"audience": []}, "audience: expected at least one"),
    ({"audience": [""]}, "audience: expected at least one"),
    ({"issuer": ""}, "issuer: expected what tokens have"),
    ({"algorithms": []}, "algorithms: expected at least one"),
    ({"algorithms": ["HS256"]}, "HS256"),
    ({"algorithms": ["none"]}, "none"),
    ({"jwks_url": ""}, "either jwks_url or jwks_file"),
    ({"jwks_url": "http://id.example/k"}, "expected an https:// URL"),
    ({"jwks_url": "https://user:secret@id.example/k"}, "expected an https:// URL"),
    ({"jwks_url": "file:///etc/passwd"}, "expected an https:// URL"),
    ({"jwks_ca_file": "/nonexistent"}, "none at /nonexistent"),
    ({"tenant": ""}, "nobody could come in"),
    ({"tenant": "../a"}, "expected a tenant of the form"),
    ({"tenant_claim": "t"}, "either tenant or tenant_claim"),
    ({"grants": [{"value": "*", "tenant": "a", "scopes": ["read"]}]}, "more than nothing or any value"),
    ({"grants": [{"value": "x", "tenant": "A", "scopes": ["read"]}]}, "grants[0].tenant"),
    ({"grants": [{"value": "x", "tenant": "a", "scopes": []}]}, "grants[0].scopes"),
]


def faults_of(auth, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"host": {"auth": auth}}))
    with pytest.raises(ConfigError) as caught:
        load_config(TinyConfig, prefix="TELECINE_TINY_", section="tiny", path=path, environ={})
    return str(caught.value)


@pytest.mark.parametrize(("changed", "fault"), FAULTY_ISSUERS)
def test_a_fault_of_an_issuer_is_named(changed, fault, tmp_path):
    said = faults_of({"issuers": [GOOD | changed]}, tmp_path)
    assert fault in said
    assert "secret" not in said


def test_all_faults_are_named_at_once(tmp_path):
    wrong = [GOOD | {"audience": []}, GOOD | {"tenant": "A B"}]
    said = faults_of({"issuers": wrong}, tmp_path)
    assert "issuers[0].audience" in said
    assert "issuers[1].tenant" in said
    certificates = [{"value": "a*b", "tenant": "x/y", "scopes": ["read"]}]
    said = faults_of(
        {"issuers": [GOOD, GOOD], "certificates": certificates, "keys_file": str(tmp_path / "none")}, tmp_path
    )
    for fault in ("twice", "expected a tenant", "'a*b'", "keys_file", "cannot be read"):
        assert fault in said


def test_good_settings_are_taken(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"host": {"auth": {"issuers": [GOOD]}}}))
    loaded = load_config(TinyConfig, prefix="TELECINE_TINY_", section="tiny", path=path, environ={})
    assert loaded.value.host.auth.is_on


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"version": 2, "keys": []}',
        b'{"version": 1, "keys": [{}]}',
        b'{"version": 1, "extra": 1}',
        b"\xff",
        b" " * (MAX_FILE_BYTES + 1),
    ],
)
def test_a_file_that_is_none_of_keys_is_refused(content, tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(content)
    with pytest.raises(KeyFileError):
        read_keys(path)


@pytest.mark.parametrize(
    "names", [("", "a"), ("x" * 129, "a"), ("ann smith", "a"), ("ann", ".."), ("ann", "A"), ("ann\n", "a")]
)
def test_a_key_for_a_wrong_name_cannot_be_made(names):
    with pytest.raises(KeyFileError):
        new_key(*names, (Scope.READ,), created_at=NOW)


def test_the_file_holds_no_key_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "keys.json"
    key, stored = new_key("ann", "studio-a", (Scope.READ, Scope.ENCODE), created_at=NOW)
    write_keys(path, (stored,))
    assert path.stat().st_mode & 0o777 == 0o600
    assert key[17:] not in path.read_text()
    assert read_keys(path) == (stored,)
    assert id_of(key) == stored.id
    write_keys(path, (stored, stored))
    with pytest.raises(KeyFileError, match="same id"):
        read_keys(path)
