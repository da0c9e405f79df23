"""Certificates for tests: an authority of trustme's, whose certificates are written as an operator would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from service_host.tls.config import TlsConfig


class Authority:
    """A certificate authority that writes into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_file = folder / f"ca-{id(self)}.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))

    def issue(
        self, name: str = "server", *names: str, expires_in: timedelta = timedelta(days=90)
    ) -> tuple[Path, Path]:
        """Writes certificate and key, aside and then renamed; returns where."""
        issued = self.ca.issue_cert(
            *(names or ("localhost", "127.0.0.1")), not_after=datetime.now(UTC) + expires_in,
            not_before=datetime.now(UTC) - timedelta(days=30),
        )  # fmt: skip
        paths = (self.folder / f"{name}.pem", self.folder / f"{name}.key")
        blobs = (issued.cert_chain_pems[0], issued.private_key_pem)
        for path, blob in zip(paths, blobs, strict=True):
            aside = path.with_suffix(".new")
            aside.write_bytes(blob.bytes())
            aside.chmod(0o600)
            aside.replace(path)
        return paths

    def server(self, *, must_clients_prove: bool = False, **others: object) -> TlsConfig:
        """The settings of a server with a new certificate."""
        cert_file, key_file = self.issue()
        client_ca_file = self.ca_file if must_clients_prove else None
        return TlsConfig(cert_file, key_file, client_ca_file, **others)
