"""API keys: what a key looks like, and the file that holds the hashes of all of them."""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import re
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from telecine.durable_files import write_whole

from service_host.auth.principal import TENANT_FORM
from service_host.auth.scopes import Scope

PREFIX = "tlc_"
"""What every key begins with; the redactor looks for it."""
MAX_FILE_BYTES = 4 << 20
_ID_CHARS = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
_SECRET_BYTES = 32
_KEY = re.compile(rf"{PREFIX}([a-z0-9]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]{{43}}")
_OWNER_ALONE = 0o600


ORIGIN_PATTERN = r"^https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?\Z"
"""Of an origin as browsers name it: a scheme, a host in small letters, and the port if it is unusual."""


class KeyFileError(ValueError):
    """A file of keys that cannot be used; the message says why, and holds nothing of a key."""


class StoredKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key, as its file has it: all but the key."""

    id: Annotated[str, msgspec.Meta(pattern=rf"^[a-z0-9]{{{_ID_LENGTH}}}\Z")]
    """Names it in lists and records; part of the key, and no secret."""
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Of the whole key. Enough for 256 random bits: there is nothing to guess."""
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[!-~]+\Z")]
    tenant: Annotated[str, msgspec.Meta(pattern=rf"^{TENANT_FORM}\Z")]
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    created_at: Annotated[datetime.datetime, msgspec.Meta(tz=True)]
    expires_at: Annotated[datetime.datetime, msgspec.Meta(tz=True)] | None = None
    """None: never."""
    revoked_at: Annotated[datetime.datetime, msgspec.Meta(tz=True)] | None = None
    """None: it is valid. Revoked keys stay in the file, so that records that name them can be read."""
    origins: tuple[Annotated[str, msgspec.Meta(max_length=256, pattern=ORIGIN_PATTERN)], ...] = ()
    """The web pages that it stands in, for everybody to read: it is good for nothing but writing records from
    there. Empty: it is a secret, and stands in no page."""

    @property
    def expires_at_unix(self) -> float | None:
        """In seconds; None: never."""
        return None if self.expires_at is None else self.expires_at.timestamp()


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All keys of a service."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    keys: tuple[StoredKey, ...] = ()


def id_of(key: str) -> str:
    """The id within a key; empty where the text is no key."""
    found = _KEY.fullmatch(key)
    return found[1] if found else ""


def hash_of(key: str) -> str:
    """What the file has instead of the key."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(
    subject: str,
    tenant: str,
    scopes: tuple[Scope, ...],
    *,
    created_at: datetime.datetime,
    expires_at: datetime.datetime | None = None,
    origins: tuple[str, ...] = (),
) -> tuple[str, StoredKey]:
    """A fresh key of 256 random bits, and what is kept of it. Raises KeyFileError for wrong names.

    `origins`: the web pages that it is for; such a key may write records and nothing else.
    """
    if origins and set(scopes) != {Scope.LOGS_WRITE}:
        raise KeyFileError(f"a key for web pages has the scope {Scope.LOGS_WRITE} and no other")
    key_id = "".join(secrets.choice(_ID_CHARS) for _ in range(_ID_LENGTH))
    key = f"{PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    stored = StoredKey(key_id, hash_of(key), subject, tenant, scopes, created_at, expires_at, None, origins)
    try:
        return key, msgspec.convert(msgspec.to_builtins(stored), StoredKey)
    except msgspec.ValidationError as error:
        raise KeyFileError(f"the key cannot be made: {error}") from error


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """The keys of a file, the revoked ones too. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        keys = msgspec.json.decode(data, type=KeyFile).keys
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path} is no file of `telecine keys`: {error}") from error
    if len({key.id for key in keys}) < len(keys):
        raise KeyFileError(f"{path} has two keys with the same id")
    return keys


def write_keys(path: Path, keys: tuple[StoredKey, ...]) -> None:
    """Replaces the file as a whole; its owner alone can read it. Raises KeyFileError."""
    data = msgspec.json.format(msgspec.json.encode(KeyFile(1, keys))) + b"\n"
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path} would be larger than {MAX_FILE_BYTES >> 20} MiB; remove revoked keys")
    try:
        write_whole(path, data, is_synced=True, mode=_OWNER_ALONE)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def changing(path: Path) -> Iterator[list[StoredKey]]:
    """Yields the keys of a file, to be changed; the file is replaced when the block ends, unless it raises.

    Others that change it wait meanwhile. A missing file is an empty one. Raises KeyFileError.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = lock.open("ab")
        lock.chmod(_OWNER_ALONE)
    except OSError as error:
        raise KeyFileError(f"{lock} cannot be written: {error.strerror}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        keys = list(read_keys(path)) if path.exists() else []
        yield keys
        write_keys(path, tuple(keys))
