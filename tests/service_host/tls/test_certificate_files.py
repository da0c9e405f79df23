"""The certificate in force is renewed when its files change, and only by files that can be used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from telecine.tls.certificate import validities, validity_of

from service_host.address import AddressError
from service_host.tls.certificate_files import CertificateFiles
from service_host.tls.config import TlsConfig
from service_host.tls.expiry import ExpiryWatch
from tests.service_host.certificates import Authority


def _encrypt(path):
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password"))
    )


def _expire(authority):
    authority.issue(expires_in=timedelta(days=-1))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda tls, _: tls.cert_file.unlink(), "cannot read"),
        (lambda tls, _: tls.key_file.write_text("no key"), "key_file: .*holds no PEM private key"),
        (lambda tls, _: tls.cert_file.write_text("no certificate"), "cert_file: .*holds no PEM certificate"),
        (lambda tls, authority: authority.issue("other")[1].replace(tls.key_file),
         "does not belong to the certificate"),
        (lambda tls, _: _encrypt(tls.key_file), "is encrypted.*without a password"),
        (lambda _, authority: _expire(authority), "expired on"),
        (lambda tls, _: tls.client_ca_file.write_text("nothing"), "client_ca_file: "),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_named_at_the_start_and_left_alone_later(tmp_path, spoil, expected):
    authority = Authority(tmp_path)
    tls = authority.server(must_clients_prove=True)
    files = CertificateFiles(tls)
    good = files.in_force
    spoil(tls, authority)
    with capture_logs() as logged:
        assert files.look() is good
        assert files.look() is good
    assert [entry["event"] for entry in logged] == ["certificate_not_taken"]
    with pytest.raises(AddressError, match=expected):
        CertificateFiles(tls)
    authority.ca.cert_pem.write_to_path(str(tls.client_ca_file))
    authority.issue()
    assert files.look().chain == tls.cert_file.read_bytes() != good.chain
    assert (files.taken, files.refused) == (1, 1)


def test_the_swapped_symlink_of_a_kubernetes_secret_is_noticed(tmp_path):
    authority = Authority(tmp_path)
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        for path in authority.issue():
            path.replace(tmp_path / version / path.name)
    (tmp_path / "..data").symlink_to("1")
    for name in ("server.pem", "server.key"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    files = CertificateFiles(TlsConfig(tmp_path / "server.pem", tmp_path / "server.key"))
    (tmp_path / "..next").symlink_to("2")
    (tmp_path / "..next").rename(tmp_path / "..data")
    assert files.look().chain == (tmp_path / "2" / "server.pem").read_bytes()


def test_a_file_that_is_written_piece_by_piece_is_taken_when_it_is_whole(tmp_path):
    """All within one tick of the file system's clock: the time of change cannot tell the pieces apart."""
    authority = Authority(tmp_path)
    tls = authority.server()
    files = CertificateFiles(tls)
    good = files.in_force
    certificate, key = (path.read_bytes() for path in authority.issue("next"))
    with tls.cert_file.open("wb", buffering=0) as cert_out, tls.key_file.open("wb", buffering=0) as key_out:
        for out, whole in ((cert_out, certificate), (key_out, key)):
            half = len(whole) // 2
            for piece in (whole[:half], whole[half:-10]):
                out.write(piece)
                assert files.look() is good
            if out is cert_out:
                out.write(whole[-10:])
        key_out.write(key[-10:])
    assert files.look().chain == certificate
    assert files.look().key == key


def test_a_key_that_others_can_read_is_a_warning(tmp_path):
    tls = Authority(tmp_path).server()
    tls.key_file.chmod(0o640)
    with capture_logs() as logged:
        CertificateFiles(tls)
    assert [(entry["event"], entry["mode"]) for entry in logged] == [
        ("private_key_readable_by_others", "0640")
    ]


def test_expiry_is_a_warning_a_day_and_a_metric(tmp_path):
    authority = Authority(tmp_path)
    tls = authority.server()
    registry = CollectorRegistry()
    files = CertificateFiles(tls)
    watch = ExpiryWatch(files, 14 * 86400, registry)
    expiry = files.in_force.validity.not_after
    assert (
        registry.get_sample_value("telecine_tls_certificate_expiry_timestamp_seconds") == expiry.timestamp()
    )
    with capture_logs() as logged:
        for hours in (15 * 24, 13 * 24, 12.5 * 24, 11.9 * 24, -1):
            watch.warn(expiry - timedelta(hours=hours))
    events = [entry["event"] for entry in logged]
    assert events == ["certificate_expires_soon", "certificate_expires_soon", "certificate_expired"]
    authority.issue()
    files.look()
    labels = {"outcome": "taken"}
    assert registry.get_sample_value("telecine_tls_certificate_changes_total", labels) == 1


@pytest.mark.parametrize("key_type", list(trustme.KeyType))
@pytest.mark.parametrize("year", [2049, 2050, 2124])
def test_a_validity_is_read_as_cryptography_reads_it(key_type, year):
    ca = trustme.CA(key_type=key_type)
    expires = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    issued = ca.issue_cert("localhost", not_after=expires, key_type=key_type)
    (validity,) = validities(issued.cert_chain_pems[0].bytes())
    assert validity.not_after == expires
    assert validity.not_before < datetime.now(UTC)


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", bytes(64), b"\x30\x03\x30\x01\x00"]
)
def test_what_is_no_certificate_is_a_value_error(der):
    with pytest.raises(ValueError, match="no X"):
        validity_of(der)
