"""The certificate of a service as its ports take it: gRPC's credentials, and a context for Python's own."""

from __future__ import annotations

import ssl
from typing import Any

import grpc

from service_host.tls.certificate_files import Certificate, CertificateFiles


def grpc_credentials(files: CertificateFiles) -> Any:
    """Credentials of a gRPC port; the files are looked at for each handshake."""
    served = files.in_force

    def changed() -> Any:
        nonlocal served
        found = files.look()
        if found is served:
            return None
        served = found
        return _configuration(found)

    must_prove = served.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(
        _configuration(served), changed, require_client_authentication=must_prove
    )


def _configuration(found: Certificate) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(found.key, found.chain)], root_certificates=found.client_ca
    )


def https_context(files: CertificateFiles, *, may_clients_be_unknown: bool) -> ssl.SSLContext:
    """A context for a port that Python serves; each connection gets what the files hold then.

    `may_clients_be_unknown`: where clients must prove themselves, they may also come without a certificate;
    who serves the port then decides what they get.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def current(connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        # Called for each handshake, with and without a name in it.
        connection.context = prepared(files.look())

    def prepared(found: Certificate) -> ssl.SSLContext:
        if found.client_ca is not None and may_clients_be_unknown:
            found.context.verify_mode = ssl.CERT_OPTIONAL
        return found.context

    context.sni_callback = current
    if files.in_force.client_ca is not None:
        # The mode is the connection's, not the exchanged context's.
        context.verify_mode = ssl.CERT_OPTIONAL if may_clients_be_unknown else ssl.CERT_REQUIRED
    return context
