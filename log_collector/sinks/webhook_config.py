"""What the webhook sink can be told."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from log_collector.sinks.http_config import Fault, HttpConfig, TargetConfig, url_faults

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - marks a secret, and is none
_MIN_SECRET_BYTES: Final = 16


class WebhookFormat(StrEnum):
    """How the records of a request stand in its body."""

    NDJSON = "ndjson"
    """One object per line."""
    ARRAY = "array"
    """A JSON array of objects."""


class WebhookConfig(TargetConfig, frozen=True, kw_only=True):
    """Records to any HTTP endpoint. It answers with 2xx once it has them."""

    url: str
    format: WebhookFormat = WebhookFormat.NDJSON
    request_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """At most so many in one request. A change of this or of the filter gives other `webhook-id`s to what is
    under way."""
    signing_secret: str = ""
    """With it, requests are signed as Standard Webhooks says: base64, with "whsec_" before it or not. Empty:
    they are not."""
    http: HttpConfig = HttpConfig(is_compressed=False)

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        yield from TargetConfig.find_faults(self)
        yield from url_faults("url", self.url)
        if self.signing_secret:
            try:
                is_long = len(signing_key(self.signing_secret)) >= _MIN_SECRET_BYTES
            except ValueError:
                is_long = False
            if not is_long:
                yield "signing_secret", f"expected base64 of at least {_MIN_SECRET_BYTES} bytes"


def signing_key(secret: str) -> bytes:
    """The bytes that a secret stands for. Raises ValueError where it is no base64."""
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error
