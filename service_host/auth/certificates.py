"""Says who holds a client certificate, by the names in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography import x509

from service_host.auth.admission import Admission, CredentialKind, expired, no_tenant, refused
from service_host.auth.principal import Principal
from service_host.settings.auth_config import CertificateGrant

_REMEMBERED = 256


class CertificateVerifier:
    """Maps certificates that TLS has accepted to principals. Belongs to the event loop."""

    def __init__(self, grants: Sequence[CertificateGrant], now: Callable[[], float]) -> None:
        self._grants = tuple(grants)
        self._now = now
        self._read: dict[bytes, Admission] = {}

    def admit(self, pem: bytes) -> Admission:
        """Who holds this certificate. Raises ServiceError."""
        admission = self._read.get(pem)
        if admission is None:
            admission = self._admission(pem)
            while len(self._read) >= _REMEMBERED:
                self._read.pop(next(iter(self._read)))
            self._read[pem] = admission
        if fault := self.fault_of(admission):
            raise expired(fault)
        return admission

    def fault_of(self, admission: Admission) -> str:
        """Why the certificate is no longer taken; empty: it is. TLS looks only when a connection begins."""
        until = admission.expires_at_unix
        has_ended = until is not None and until <= self._now()
        return f"the certificate of {admission.principal.subject} has expired" if has_ended else ""

    def _admission(self, pem: bytes) -> Admission:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            names = _names(certificate)
        except ValueError as error:
            raise refused("the client certificate cannot be read") from error
        for grant in self._grants:
            for name in names:
                if _fits(name, grant.value):
                    principal = Principal(name, grant.tenant, frozenset(grant.scopes))
                    return Admission(
                        principal,
                        CredentialKind.CERTIFICATE,
                        f"{certificate.serial_number:x}",
                        certificate.not_valid_after_utc.timestamp(),
                    )
        raise no_tenant(names[0] if names else "the holder of this certificate")


def _names(certificate: x509.Certificate) -> list[str]:
    """The URIs, then the DNS names; the common name counts for nothing."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return [*uris, *(name.lower() for name in names.get_values_for_type(x509.DNSName))]


def _fits(name: str, pattern: str) -> bool:
    if "://" in pattern:
        return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
    if "://" in name:
        return False
    pattern = pattern.lower()
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:] and not name.startswith(".")
    return name == pattern
