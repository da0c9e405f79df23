"""Finds out why a secure connection does not come about: gRPC says "Socket closed" for most of it.

A handshake is made beside gRPC, with the same files, after a connection has failed; nothing is sent but the
beginning of HTTP/2.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from telecine.tls.certificate import validities, validity_of
from telecine.tls.options import Tls
from telecine.tls.pem_files import TlsFileError, client_context

_HOST_PORT: Final = re.compile(
    r"(?:dns:///?)?(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:/\[\]@,]+)):(?P<port>\d+)"
)
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""The beginning of HTTP/2, and empty settings; a server answers with its own."""
_EXPIRED, _NOT_YET_VALID, _WRONG_NAMES = 10, 9, (62, 64)
"""OpenSSL's codes (X509_V_ERR_…)."""
_PLAIN_ANSWER: Final = (
    "WRONG_VERSION_NUMBER",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
)
_SIGNS: Final = (
    "handshak",
    "Verification",
    "Socket closed",
    "reset by peer",
    "Broken pipe",
    "SSL",
    "EOF",
    "ipv6:",
)
_SETTINGS: Final = "TELECINE_TLS_{0}, --tls-{1} or Tls({2}=…)"


class TlsFault(StrEnum):
    """Why there is no connection."""

    PLAIN_CLIENT = "plain_client"
    PLAIN_SERVER = "plain_server"
    UNKNOWN_AUTHORITY = "unknown_authority"
    WRONG_NAME = "wrong_name"
    NOT_VALID_NOW = "not_valid_now"
    CLIENT_CERTIFICATE_MISSING = "client_certificate_missing"
    CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
    NO_HANDSHAKE = "no_handshake"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a handshake showed."""

    fault: TlsFault | None
    """None: the connection comes about."""
    message: str
    advice: str = ""
    not_after: datetime | None = None
    """When the server's certificate expires. None: it was not seen."""


def diagnose(address: str, tls: Tls | None, timeout_seconds: float = 2.0) -> Diagnosis | None:
    """What stands in the way of a connection; None: nothing to do with TLS, or nothing that can be tried.

    `tls` None: the client speaks plainly. Blocks for up to twice the timeout.
    """
    place = _place(address)
    if place is None:
        return None
    if tls is None or tls.insecure:
        if not _speaks_tls(place, timeout_seconds):
            return None
        return Diagnosis(
            TlsFault.PLAIN_CLIENT,
            "the server speaks TLS, and this client does not",
            f"Name the authority of its certificate ({_setting('ca_file')}), or write "
            f"tls://{place[0]}:{place[1]} where the system trusts it.",
        )
    try:
        return _handshake(place, tls, timeout_seconds)
    except TlsFileError as error:
        return Diagnosis(TlsFault.NO_HANDSHAKE, str(error), "Fix what is named.")
    except OSError:
        return None


def may_be_tls(text: str) -> bool:
    """Whether gRPC's message is one of those that a fault of TLS hides behind.

    Of a name with several addresses it shows the last one alone: that ::1 refuses says nothing of 127.0.0.1.
    """
    return "failed to connect" in text and any(sign in text for sign in _SIGNS)


def _place(address: str) -> tuple[str, int] | None:
    match = _HOST_PORT.fullmatch(address.removeprefix("tls://"))
    return (match["v6"] or match["host"], int(match["port"])) if match is not None else None


def _handshake(place: tuple[str, int], tls: Tls, timeout_seconds: float) -> Diagnosis | None:
    context = client_context(tls)
    # gRPC's library is no stricter than this.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2"])
    name = tls.server_name or place[0]
    with socket.create_connection(place, timeout_seconds) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                return _after_handshake(secure, tls)
        except ssl.SSLCertVerificationError as error:
            return _untrusted(place, tls, name, error.verify_code, timeout_seconds)
        except ssl.SSLError as error:
            if error.reason in _PLAIN_ANSWER:
                return _plain_server(place)
            return _refused_client(tls) if "ALERT" in (error.reason or "") else None
        except ConnectionError:
            return _plain_server(place) if not _speaks_tls(place, timeout_seconds) else None


def _after_handshake(secure: ssl.SSLSocket, tls: Tls) -> Diagnosis:
    """In TLS 1.3 the server judges the client's certificate after the client's handshake is done."""
    shown = validity_of(secure.getpeercert(binary_form=True) or b"")
    try:
        secure.sendall(_PREFACE)
        if not secure.recv(1):
            return _refused_client(tls)
    except TimeoutError:
        return Diagnosis(
            TlsFault.NO_HANDSHAKE, "the server does not answer after the handshake", "", shown.not_after
        )
    except OSError:
        return _refused_client(tls)
    left = shown.seconds_left(datetime.now(UTC)) / 86400
    message = f"the server's certificate is valid until {_day(shown.not_after)} ({left:.0f} days)"
    return Diagnosis(None, message, "", shown.not_after)


def _untrusted(place: tuple[str, int], tls: Tls, name: str, code: int, timeout_seconds: float) -> Diagnosis:
    shown = _certificate(place, timeout_seconds)
    not_after = validity_of(shown).not_after if shown is not None else None
    if code in (_EXPIRED, _NOT_YET_VALID):
        when = f" (it is valid until {_day(not_after)})" if not_after is not None else ""
        what = "has expired" if code == _EXPIRED else "is not valid yet"
        return Diagnosis(
            TlsFault.NOT_VALID_NOW,
            f"the server's certificate {what}{when}",
            "Renew the server's host.tls.cert_file (it needs no restart), or set this machine's clock.",
            not_after,
        )
    if code in _WRONG_NAMES:
        names = _names(place, tls, timeout_seconds)
        held = f"for {', '.join(names)} and " if names else ""
        return Diagnosis(
            TlsFault.WRONG_NAME,
            f"the server's certificate is {held}not for {name}",
            f"Use a name of the certificate in the address, or expect another: {_setting('server_name')}.",
            not_after,
        )
    trusted = (
        f"ca_file is {tls.ca_file}"
        if tls.ca_file is not None
        else "ca_file names none, so the system's count"
    )
    return Diagnosis(
        TlsFault.UNKNOWN_AUTHORITY,
        f"the server's certificate is of an authority that this client does not trust ({trusted})",
        f"Name the PEM file of its authority: {_setting('ca_file')}.",
        not_after,
    )


def _plain_server(place: tuple[str, int]) -> Diagnosis:
    return Diagnosis(
        TlsFault.PLAIN_SERVER,
        "the server speaks no TLS, and this client does",
        f"Write {place[0]}:{place[1]} without tls:// and leave out TELECINE_TLS_*, or say --tls-insecure or "
        "Tls(insecure=True); or give the server a certificate (host.tls.cert_file and key_file).",
    )


def _refused_client(tls: Tls) -> Diagnosis:
    if tls.cert_file is None:
        return Diagnosis(
            TlsFault.CLIENT_CERTIFICATE_MISSING,
            "the server asks for a client certificate, and this client shows none",
            f"Name one and its key: {_setting('cert_file')}, and key_file likewise.",
        )
    expired = ""
    found = validities(Path(tls.cert_file).read_bytes())
    if found and found[0].seconds_left(datetime.now(UTC)) <= 0:
        expired = f", which expired on {_day(found[0].not_after)}"
    return Diagnosis(
        TlsFault.CLIENT_CERTIFICATE_REFUSED,
        f"the server does not accept the client certificate in {tls.cert_file}{expired}",
        "Show one of the authority in the server's host.tls.client_ca_file; a new one needs no restart.",
    )


def _speaks_tls(place: tuple[str, int], timeout_seconds: float) -> bool:
    try:
        return _certificate(place, timeout_seconds) is not None
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _unproving() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _certificate(place: tuple[str, int], timeout_seconds: float) -> bytes | None:
    """What the server shows, whoever it is. Raises OSError."""
    with (
        socket.create_connection(place, timeout_seconds) as plain,
        _unproving().wrap_socket(plain, server_hostname=place[0]) as secure,
    ):
        return secure.getpeercert(binary_form=True)


def _names(place: tuple[str, int], tls: Tls, timeout_seconds: float) -> list[str]:
    """The names in the server's certificate, which is trusted but for that."""
    context = client_context(tls)
    context.check_hostname = False
    try:
        with (
            socket.create_connection(place, timeout_seconds) as plain,
            context.wrap_socket(plain, server_hostname=place[0]) as secure,
        ):
            found = (secure.getpeercert() or {}).get("subjectAltName", ())
    except OSError:
        return []
    return [str(entry[1]) for entry in found]


def _setting(name: str) -> str:
    return _SETTINGS.format(name.upper(), name.replace("_", "-"), name)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else "an unknown day"
