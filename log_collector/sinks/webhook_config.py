"""The settings of the webhook sink."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from log_collector.sinks.http.config import Fault, HttpConfig, TargetConfig, url_faults

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - marks a secret, and is none
_LEAST_BYTES: Final = 24
_MOST_BYTES: Final = 64


class WebhookFormat(StrEnum):
    """How the records of a request stand in its body."""

    NDJSON = "ndjson"
    """One object per line."""
    ARRAY = "array"
    """A JSON array of objects."""


class WebhookConfig(TargetConfig, frozen=True, kw_only=True):
    """Records to any HTTP endpoint. It answers with 2xx once it has them."""

    url: str
    """Where each request is posted to."""
    format: WebhookFormat = WebhookFormat.NDJSON
    """How the records of a request stand in its body."""
    request_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """At most so many in one request. A change of this or of the filter gives other `webhook-id`s to what is
    under way."""
    signing_secrets: tuple[str, ...] = ()
    """With them, requests are signed as Standard Webhooks says, once with each, so that one can be exchanged:
    "whsec_" and the base64 of 24 to 64 bytes. Empty: they are not signed."""
    http: HttpConfig = HttpConfig(is_compressed=False)

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        yield from url_faults("url", self.url)
        try:
            for secret in self.signing_secrets:
                signing_key(secret)
        except ValueError as error:
            yield "signing_secrets", str(error)


def signing_key(secret: str) -> bytes:
    """The bytes that a secret stands for. Raises ValueError, which does not repeat it."""
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_SECRET_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f'expected "{_SECRET_PREFIX}" and {_LEAST_BYTES} to {_MOST_BYTES} bytes in base64')
    return key
