"""Page tokens: where the page before ended, bound to the filter it was made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from log_collector import errors
from log_collector.query.scan import Place

_DIGEST_BYTES: Final = 8


class _Token(msgspec.Struct, array_like=True):
    place: Place
    digest: bytes


def make_token(place: Place, question: bytes) -> str:
    """A token for what comes behind `place`; `question` is the request without its page."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(_Token(place, _digest(question)))).decode()


def read_token(text: str, question: bytes) -> Place | None:
    """The place of a token; None for an empty one. Raises ServiceError for any that is not ours."""
    if not text:
        return None
    try:
        token = msgspec.msgpack.decode(base64.urlsafe_b64decode(text.encode()), type=_Token)
    except (binascii.Error, ValueError) as error:
        raise errors.invalid_field("page_token", "expected next_page_token of the page before") from error
    if token.digest != _digest(question):
        raise errors.invalid_field("page_token", "belongs to another filter or order")
    return token.place


def _digest(question: bytes) -> bytes:
    return hashlib.blake2b(question, digest_size=_DIGEST_BYTES).digest()
