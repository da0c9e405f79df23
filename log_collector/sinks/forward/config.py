"""The settings of the forward sink: where to, how, and what it may lose when that is away for too long."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec


class ForwardProtocol(StrEnum):
    """How records are handed on."""

    SHIP = "ship"
    """To another Telecine collector: each record is stored there once."""
    OTLP = "otlp"
    """To any OTLP/gRPC logs endpoint: at least once; each record carries log.record.uid."""


class ForwardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One place to forward to."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """The sink is called `forward.<name>`."""
    address: str
    """host:port"""
    protocol: ForwardProtocol = ForwardProtocol.SHIP
    root_certificates: Path | None = None
    """PEM file of those who are trusted. None: without TLS."""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """For each answer."""
    lag_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30
    """When it is further behind than so much of the journal, the oldest records are dropped, counted; 0:
    never, the journal fills instead."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.root_certificates is not None:
            try:
                self.root_certificates.read_bytes()
            except OSError as error:
                yield "root_certificates", f"cannot be read: {error.strerror or error}"
