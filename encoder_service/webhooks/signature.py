"""Signs webhooks as the Standard Webhooks specification says (standardwebhooks.com, version 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64
EXPECTED = f'expected "{PREFIX}" and {_LEAST_BYTES} to {_MOST_BYTES} random bytes in Base64'


def secret_bytes(secret: str) -> bytes:
    """The key that a secret stands for. Raises ValueError, without the secret in its message."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(EXPECTED)
    return key


def signed_headers(keys: Sequence[bytes], delivery_id: str, unix_seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery; one signature for each key, so that keys can be exchanged.

    HMAC-SHA256 over "<id>.<seconds>.<body>"; the receiver refuses times that are too far off.
    """
    signed = b".".join((delivery_id.encode(), str(unix_seconds).encode(), body))
    signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(unix_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
