"""Whose a producer is: a secret, kept as a salted hash, that only who opened it knows."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from service_host.auth.principal import is_tenant

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_SHOWN_DIGITS: Final = 8
_NOT_SECRET: Final = ("otlp:", "records:", "browser:", "~")


def make_proof(secret: bytes, salt: bytes | None = None) -> bytes:
    """What is kept of a secret: its salt and its hash. `salt`: None makes a random one."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    return salt + hashlib.blake2b(secret, salt=salt, digest_size=_HASH_BYTES).digest()


def is_proven(proof: bytes, secret: bytes) -> bool:
    """Whether a secret is the one that a proof was made of; takes the same time for any other."""
    if len(proof) != _SALT_BYTES + _HASH_BYTES or not secret:
        return False
    return hmac.compare_digest(make_proof(secret, proof[:_SALT_BYTES]), proof)


def producer_key(tenant: str, producer: str) -> str:
    """What tells a producer from those of all tenants; the root tenant's ("") go by their ids alone.

    No id of a producer has a slash.
    """
    return f"{tenant}/{producer}" if tenant else producer


def plain_producer(key: str) -> str:
    """The id alone. Only what has no numbers ("otlp:…") may have a slash of its own, behind a colon."""
    tenant, slash, producer = key.partition("/")
    return producer if slash and is_tenant(tenant) else key


def shown_producer(producer: str) -> str:
    """A name for a producer that nobody can ship with: "~" and 8 hex digits of its id's SHA-256.

    It is the same whichever tenant the producer is of.

    What has no numbers to take away ("otlp:…", "records:…", "browser:…", the collector's own) is shown as it
    is, and so is what is such a name already.
    """
    producer = plain_producer(producer)
    if producer.startswith(_NOT_SECRET) or producer == OWN_PRODUCER:
        return producer
    return "~" + hashlib.sha256(producer.encode()).hexdigest()[:_SHOWN_DIGITS]


OWN_PRODUCER: Final = "log-collector"
"""Whose records the collector's own summaries are."""
