"""Reads from a certificate when it is valid.

Pure: what a handshake needs of it is OpenSSL's affair. The validity alone is read, which has a fixed place
in RFC 5280, so that no program needs a library for X.509.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION_TAG: Final = 0xA0
_UTC_TIME: Final = 0x17
_LONG_LENGTH: Final = 0x80
_CENTURY_YEAR: Final = 50
"""RFC 5280: two digits from 50 on are of the twentieth century."""


@dataclass(frozen=True, slots=True)
class Validity:
    """From when and until when a certificate is valid."""

    not_before: datetime
    not_after: datetime

    def seconds_left(self, now: datetime) -> float:
        """Until it expires; negative: so long ago."""
        return (self.not_after - now).total_seconds()


def validities(pem: bytes) -> list[Validity]:
    """The validity of each certificate in a PEM file, in its order. Raises ValueError for what is none."""
    blocks = _PEM.findall(pem.decode("ascii", "replace"))
    return [validity_of(ssl.PEM_cert_to_DER_cert(block)) for block in blocks]


def validity_of(der: bytes) -> Validity:
    """The validity of one certificate in DER. Raises ValueError for what is none."""
    try:
        certificate, _ = _element(der, 0)
        fields = _inside(_inside(certificate.content)[0].content)
        # TBSCertificate: [version], serial number, signature, issuer, validity, …
        place = 4 if fields[0].tag == _VERSION_TAG else 3
        begin, end = _inside(fields[place].content)
        return Validity(_time(begin), _time(end))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("no X.509 certificate") from error


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    content: bytes


def _element(der: bytes, place: int) -> tuple[_Element, int]:
    """The element that begins there, and where the next one does."""
    tag, length = der[place], der[place + 1]
    begin = place + 2
    if length & _LONG_LENGTH:
        count = length & ~_LONG_LENGTH
        length = int.from_bytes(der[begin : begin + count], "big")
        begin += count
    if begin + length > len(der):
        raise IndexError(place)
    return _Element(tag, der[begin : begin + length]), begin + length


def _inside(der: bytes) -> list[_Element]:
    found: list[_Element] = []
    place = 0
    while place < len(der):
        element, place = _element(der, place)
        found.append(element)
    return found


def _time(element: _Element) -> datetime:
    text = element.content.decode("ascii")
    if element.tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_YEAR else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
