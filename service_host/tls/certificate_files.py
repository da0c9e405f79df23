"""The certificate that a service shows: read from its files, checked as a whole, renewed when they change."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog
from telecine.tls.certificate import Validity, validities

from service_host.address import AddressError
from service_host.tls.config import TlsConfig

_log = structlog.get_logger("service_host")
_PEM_END = "-----END CERTIFICATE-----"
_READINGS = 3
"""Files may be exchanged between two readings; once is chance, three times is somebody at work."""
_OTHERS_READ = 0o077

_Bytes = tuple[bytes, bytes, bytes | None]


class Certificate(msgspec.Struct, frozen=True):
    """What the files held when they last made sense together."""

    chain: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext
    """Loaded from the very same bytes, for ports that Python serves."""
    validity: Validity
    """Of the certificate in the chain that expires first."""


class CertificateFiles:
    """The certificate in force. Thread-safe: gRPC asks from threads of its own.

    Files are compared by content, not by time: a symlink that is swapped, a file renamed over another and one
    that is written in place all count, and a half-written pair is left alone until it fits.
    """

    def __init__(self, tls: TlsConfig, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Reads and checks the files. Raises AddressError, which says which file is wrong and how."""
        self._tls = tls
        self._now = now
        self._lock = threading.Lock()
        self._seen = _read(tls)
        self.taken = 0
        """How often other files were taken since the start."""
        self.refused = 0
        """How often files were left alone, because they could not be used."""
        self._fault = ""
        """What was logged last of files that cannot be used; empty: those that are there can be."""
        self._in_force = _checked(tls, now())
        _warn_of_readers(tls)

    @property
    def in_force(self) -> Certificate:
        """What new connections are shown."""
        return self._in_force

    def look(self) -> Certificate:
        """Reads the files again where they have changed; what cannot be used is logged and left alone."""
        with self._lock:
            try:
                found = _read(self._tls)
                if found == self._seen:
                    return self._in_force
                self._seen = found
                self._in_force = _checked(self._tls, self._now())
            except AddressError as error:
                self._refuse(str(error))
            else:
                self.taken += 1
                self._fault = ""
                expires = self._in_force.validity.not_after.isoformat()
                _log.info("certificate_taken", file=str(self._tls.cert_file), expires=expires)
                _warn_of_readers(self._tls)
            return self._in_force

    def _refuse(self, fault: str) -> None:
        if fault == self._fault:
            return
        self._fault = fault
        self.refused += 1
        _log.warning(
            "certificate_not_taken", error=fault, expires=self._in_force.validity.not_after.isoformat()
        )


def _pair(tls: TlsConfig) -> tuple[Path, Path]:
    if tls.cert_file is None or tls.key_file is None:
        raise AddressError("TLS needs cert_file and key_file")
    return tls.cert_file, tls.key_file


def _read(tls: TlsConfig) -> _Bytes:
    cert_file, key_file = _pair(tls)
    try:
        client_ca = tls.client_ca_file.read_bytes() if tls.client_ca_file is not None else None
        return cert_file.read_bytes(), key_file.read_bytes(), client_ca
    except OSError as error:
        raise AddressError(f"cannot read {error.filename}: {error.strerror}") from error


def _checked(tls: TlsConfig, now: datetime) -> Certificate:
    """What the files hold. Raises AddressError where they do not fit, also after another look."""
    for reading in range(_READINGS):
        found = _read(tls)
        try:
            made = _certificate(tls, found, now)
        except AddressError:
            if reading == _READINGS - 1 or _read(tls) == found:
                raise
        else:
            # OpenSSL reads the files by itself; only if they are still the same, it has read the same.
            if _read(tls) == found:
                return made
    raise AddressError(f"cert_file: {tls.cert_file} changes while it is read")


def _certificate(tls: TlsConfig, found: _Bytes, now: datetime) -> Certificate:
    chain, key, client_ca = found
    context = _context(*_pair(tls), tls.client_ca_file)
    try:
        found_validities = validities(chain)
    except ValueError as error:
        raise AddressError(f"cert_file: {tls.cert_file} holds something that is no certificate") from error
    first = min(found_validities, key=lambda validity: validity.not_after)
    if first.seconds_left(now) <= 0:
        raise AddressError(
            f"cert_file: {tls.cert_file} holds a certificate that expired on "
            f"{first.not_after:%Y-%m-%d %H:%M} UTC"
        )
    return Certificate(chain, key, client_ca, context, first)


def _context(cert_file: Path, key_file: Path, client_ca_file: Path | None) -> ssl.SSLContext:
    """Raises AddressError for files that are no PEM, and for a key that is not the certificate's.

    gRPC would say "cannot listen", which looks like a port that is in use.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_file, key_file, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise AddressError(_fault(cert_file, key_file, error)) from error
    if client_ca_file is not None:
        try:
            context.load_verify_locations(cafile=client_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise AddressError(f"client_ca_file: {client_ca_file} holds no PEM certificates") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _fault(cert_file: Path, key_file: Path, error: OSError) -> str:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return (
            f"key_file: the key in {key_file} does not belong to the certificate in {cert_file}; "
            "expected the first certificate of the file to be the server's own, and its key"
        )
    try:
        ssl.PEM_cert_to_DER_cert(cert_file.read_text("ascii", "replace").partition("-----END")[0] + _PEM_END)
        key = key_file.read_text("ascii", "replace")
    except (ValueError, OSError):
        return f"cert_file: {cert_file} holds no PEM certificate"
    if "ENCRYPTED" in key:
        return (
            f"key_file: the key in {key_file} is encrypted, and a service cannot ask for its password; "
            f"expected one that can be read without a password"
            f" (openssl pkey -in {key_file.name} -out plain.pem)"
        )
    return f"key_file: {key_file} holds no PEM private key that can be read without a password"


def _warn_of_readers(tls: TlsConfig) -> None:
    """A key that others can read is theirs too. No fault: a Kubernetes Secret is mounted like that."""
    _, key_file = _pair(tls)
    try:
        mode = key_file.stat().st_mode
    except OSError:
        return
    if mode & _OTHERS_READ:
        _log.warning("private_key_readable_by_others", file=str(key_file), mode=f"{mode & 0o777:04o}")
