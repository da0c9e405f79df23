"""The settings that all sinks over HTTP share: trust, patience, sizes, and which records."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from telecine.installation import install_command
from telecine.tls.options import Tls
from telecine.tls.pem_files import faults_of_files

from log_collector.sinks.wanted import FilteredConfig

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_LIBRARY: Final = "aiohttp"
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

Positive = Annotated[float, msgspec.Meta(gt=0)]
Bytes = Annotated[int, msgspec.Meta(ge=_KIB)]
Fault = tuple[str, str]


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How one place is spoken to. Environment variables such as HTTPS_PROXY have no say."""

    renamed: ClassVar[dict[str, str]] = {
        "root_certificates": "ca_file",
        "client_certificate": "cert_file",
        "client_key": "key_file",
    }

    timeout_seconds: Positive = 10.0
    """From the beginning of a request to the end of its answer."""
    connect_seconds: Positive = 5.0
    """Of that, until the connection stands."""
    answer_bytes: Bytes = 16 * _MIB
    """A longer answer counts as none."""
    is_compressed: bool = True
    """Whether bodies are sent with gzip."""
    username: str = ""
    """For basic authentication; empty: none."""
    password: str = ""
    """Sent with `username`."""
    token: str = ""
    """For `Authorization: Bearer`; empty: none."""
    headers: dict[str, str] = {}
    """Sent with each request; their values are shown nowhere."""
    ca_file: Path | None = None
    """The authorities to trust, PEM. None: the system's."""
    cert_file: Path | None = None
    """Our own certificate, PEM, for servers that ask for one."""
    key_file: Path | None = None
    """Its private key, PEM. None: it stands in the same file."""
    server_name: str = ""
    """The name in the server's certificate. Empty: that of the address."""
    is_certificate_checked: bool = True
    """False takes any certificate, and so any listener in between: for trying things out."""
    proxy: str = ""
    """Such as "http://proxy:3128"; empty: none."""

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        if self.token and self.username:
            yield "token", "expected either a token or a username, not both"
        if self.proxy:
            yield from url_faults("proxy", self.proxy, may_name_user=True)
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name) or not value.isprintable():
                yield "headers", "expected names and values of HTTP headers, on one line each"
        if self.key_file is not None and self.cert_file is None:
            yield "key_file", "needs cert_file too"
        yield from faults_of_files(self.tls())

    def tls(self) -> Tls:
        """Whom it trusts and what it shows."""
        return Tls(
            ca_file=self.ca_file,
            cert_file=self.cert_file,
            key_file=self.key_file or self.cert_file,
            server_name=self.server_name or None,
        )


class TargetConfig(FilteredConfig, frozen=True, kw_only=True):
    """What the sinks over HTTP have in common."""

    request_records: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    """At most so many in one request."""
    request_bytes: Bytes = _MIB
    """And about so many bytes, before compression; a larger record goes alone."""
    most_wait_seconds: Positive = 3600.0
    """However long the other side says to wait, after so long it is asked again."""
    dead_letter_bytes: Annotated[int, msgspec.Meta(ge=0)] = 16 * _MIB
    """Records that the other side will never take are kept in `dead-letters/<sink>.log` of the data
    directory, with the reason, up to about so much; 0: they are only counted."""
    http: HttpConfig = HttpConfig()

    def find_faults(self) -> Iterator[Fault]:
        """Yields what the fields' types cannot say."""
        if importlib.util.find_spec(_LIBRARY) is None:
            yield "name", f'needs the extra "sinks": {install_command("sinks")}'
        yield from FilteredConfig.find_faults(self)


def url_faults(field: str, url: str, *, may_name_user: bool = False) -> Iterator[Fault]:
    """Yields what is wrong with an http address."""
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or not url.isprintable() or " " in url:
        yield field, 'expected an address such as "https://host:port/path"'
    elif "@" in parts.netloc and not may_name_user:
        yield field, "expected an address without a user; http.username and http.password are for that"
