"""The settings of the forward sink: where to, how, and what it may lose when that is away for too long."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from telecine.settings.address import COLLECTOR_PORT, SECURE, AddressError, parse_address
from telecine.tls.options import Tls, TlsFiles
from telecine.tls.pem_files import faults_of_files


class ForwardProtocol(StrEnum):
    """How records are handed on."""

    SHIP = "ship"
    """To another Telecine collector: each record is stored there once."""
    OTLP = "otlp"
    """To any OTLP/gRPC logs endpoint: at least once; each record carries log.record.uid."""


class ForwardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One place to forward to."""

    renamed: ClassVar[dict[str, str]] = {"root_certificates": "ca_file"}

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The sink is called `forward.<name>`."""
    address: str
    """"host:port", "tls://host:port" or "unix:/path". "tls://", or any of the files below, asks for TLS."""
    protocol: ForwardProtocol = ForwardProtocol.SHIP
    """How records are handed on: as this collector's own stream, or by OTLP."""
    ca_file: Path | None = None
    """The authorities to trust, PEM. None: the system's, or no TLS where nothing else asks for it."""
    cert_file: Path | None = None
    """Our own certificate, PEM, for servers that ask for one."""
    key_file: Path | None = None
    """Its private key, PEM, without a password."""
    server_name: str = ""
    """The name in the server's certificate. Empty: that of the address."""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """For each answer."""
    lag_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30
    """When it is further behind than so much of the journal, the oldest records are dropped, counted; 0:
    never, the journal fills instead."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        try:
            parse_address(self.address, usual_port=COLLECTOR_PORT)
        except AddressError as error:
            yield "address", str(error)
        if (tls := self.tls()) is not None:
            yield from faults_of_files(tls)

    def tls(self) -> Tls | None:
        """How it is spoken to; None: plainly."""
        files = TlsFiles(self.ca_file, self.cert_file, self.key_file, self.server_name).options()
        return Tls() if files is None and self.address.startswith(SECURE) else files
