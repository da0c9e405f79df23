"""The settings of TLS, the same for every service and each of its ports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec


class TlsConfig(msgspec.Struct, frozen=True):
    """TLS for every port of the service; off where `cert_file` is None. Files are read again when they
    change: the next connection gets what they hold then, those that stand stay."""

    cert_file: Path | None = None
    """The server's certificate and the intermediate ones behind it, PEM."""
    key_file: Path | None = None
    """Its private key, PEM, without a password."""
    client_ca_file: Path | None = None
    """With it, clients must show a certificate of this authority. None: any client."""
    expiry_warning_seconds: Annotated[float, msgspec.Meta(ge=0)] = 14 * 86400.0
    """From so long before the certificate expires, the log warns once a day. 0: never."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if (self.cert_file is None) != (self.key_file is None):
            missing = "cert_file" if self.cert_file is None else "key_file"
            yield missing, "cert_file and key_file must be given together"
        if self.client_ca_file is not None and self.cert_file is None:
            yield "client_ca_file", "needs cert_file and key_file too"
        for name in ("cert_file", "key_file", "client_ca_file"):
            path = getattr(self, name)
            if path is None:
                continue
            if not path.is_file():
                yield name, f"expected a file that can be read, found none at {path}"
            elif not os.access(path, os.R_OK):
                yield name, f"expected a file that can be read: this user may not read {path}"

    @property
    def is_on(self) -> bool:
        """Whether the service's ports speak TLS."""
        return self.cert_file is not None

    @property
    def must_clients_prove(self) -> bool:
        """Whether clients must show a certificate."""
        return self.client_ca_file is not None
