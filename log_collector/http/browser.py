"""What `telecine-log.js` sends: a batch of records, with its page's key in it: a beacon has no header."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from log_collector import errors
from log_collector.http.records import Lines
from log_collector.ingest.accounting import Way

MAX_BODY_BYTES: Final = 1 << 20
"""The logger sends a twentieth of it."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_DEFAULT_SERVICE: Final = "browser"


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """A request of the logger."""

    records: list[msgspec.Raw]
    id: str = ""
    """The same for every repetition of the batch. Empty: repetitions are stored again."""
    key: str = ""
    """An API key that was made for the page's origin. Empty: the collector must not ask for any."""
    service: str = ""
    """Of all records that name none."""


_decoder = msgspec.json.Decoder(Batch)


def read_batch(body: bytes) -> Batch:
    """Raises ServiceError where the body is none."""
    try:
        batch = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        detail = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise errors.malformed(f"the body is not a batch of telecine-log.js: {detail}") from error
    if batch.id and not _ID.fullmatch(batch.id):
        raise errors.invalid_field("id", "expected 1 to 64 characters of [A-Za-z0-9_-]")
    return batch


def lines_of(batch: Batch, origin: str, sender: str) -> Lines:
    """The batch as lines; its id is one of its origin's."""
    # A line end between the parts of a record is a blank of JSON's: within texts it is escaped.
    records = (bytes(raw).replace(b"\n", b" ") for raw in batch.records)
    return Lines(
        data=b"".join(line + b"\n" for line in records),
        sender=sender,
        way=Way.BROWSER,
        service=batch.service or _DEFAULT_SERVICE,
        key=f"{origin}#{batch.id}" if batch.id else "",
    )
