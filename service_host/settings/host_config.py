"""The settings of hosting, the same for every service; they stand in its configuration as `host`."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from telecine.embedding.private_directory import is_private
from telecine.settings.trust import NAMES_A_PATH, OPERATOR_ONLY

from service_host.address import AddressError, parse_address, parse_admin_address
from service_host.calls.bounds import Limits
from service_host.settings.auth_config import AuthConfig
from service_host.tls.config import TlsConfig

_USUAL_FILES = 1024
_OTHER_FILES = 64
"""What a service has open without any stream."""
_FEWEST_STREAMS = 8

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class KeepaliveConfig(msgspec.Struct, frozen=True):
    """HTTP/2 pings; the values that were measured to notice a frozen peer in seconds, not a minute."""

    time_seconds: Positive = 30.0
    """Between pings of a quiet connection."""
    timeout_seconds: Positive = 10.0
    """Without an answer for so long, the connection is dead. Sets grpc.http2.ping_timeout_ms too:
    grpc.keepalive_timeout_ms alone was measured to do nothing."""
    min_client_interval_seconds: NotNegative = 10.0
    """Clients may ping so often while the server sends nothing; more often is cut off as "too many pings"."""


class HostConfig(msgspec.Struct, frozen=True):
    """How a service is hosted."""

    listen: Annotated[str, NAMES_A_PATH] = "127.0.0.1:0"
    """"host:port" (port 0: any free one), "[::1]:port" or "unix:/path/to/socket"."""
    admin_listen: str = ""
    """"host:port" of the HTTP port with /metrics, /healthz, /readyz and /config. Empty: off. With
    `tls.cert_file` it speaks HTTPS."""
    is_admin_encrypted: bool = True
    """False: the admin port speaks plain HTTP, and asks for no certificate, although there is `tls`."""
    is_health_open: bool = True
    """Whether /healthz and /readyz of the admin port answer callers without a certificate where
    `tls.client_ca_file` asks for one, such as the probes of Kubernetes. False: nothing there does."""
    tls: TlsConfig = TlsConfig()
    auth: AuthConfig = AuthConfig()
    is_insecure: Annotated[bool, OPERATOR_ONLY] = False
    """True: the service starts with neither `tls` nor `auth` although other machines reach its ports, and
    everybody there may do everything. For networks that keep others out."""
    keepalive: KeepaliveConfig = KeepaliveConfig()
    max_message_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024, le=1024**3)] = 4 * 1024 * 1024
    """For a message received; gRPC itself refuses larger ones with RESOURCE_EXHAUSTED."""
    max_calls: Annotated[int, msgspec.Meta(ge=1)] = 1024
    """Calls at once, streams included; one more is refused with TOO_MANY_STREAMS. Health checks have room
    of their own."""
    max_streams: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of these, streams; at most half of them only listen. When all are taken, one whose client has said
    nothing for 30 s makes room. 0: three quarters of `max_calls`, and no more than half of the files that
    the system lets the service have open."""
    max_streams_per_connection: Annotated[int, msgspec.Meta(ge=1)] = 256
    """Streams of one client's connection; over a Unix socket, connections cannot be distinguished."""
    first_message_seconds: Positive = 10.0
    """For a call's first message, which clients send at once; then the call ends with STREAM_SILENT."""
    drain_seconds: NotNegative = 25.0
    """From SIGTERM on, for the service to finish or park its work. 0: none."""
    stop_grace_seconds: NotNegative = 3.0
    """After that, for calls that are still open, before they are cancelled."""
    admission_poll_seconds: Positive = 0.5
    """How often the service is asked whether it welcomes new work."""
    is_reflection_on: bool = True
    """Whether tools such as grpcurl may ask for the services' descriptions."""
    is_readable_by_group: bool = False
    """Whether files that the service makes from now on may be read by its group. False: by its own user
    alone. Other users can read nothing either way."""
    exit_with_parent: bool = False
    """Drain when standard input ends or the parent process is gone: for a service that a program embeds."""

    temporary_directories: Annotated[tuple[Path, ...], OPERATOR_ONLY] = ()
    """Removed with all that they hold when the service has ended: those that a program which embeds the
    service made for it, and marked as such. Set by that program alone."""

    @property
    def call_limits(self) -> Limits:
        """The bounds on calls, resolved."""
        try:
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        except OSError:  # a filter around the service may deny to ask
            files = _USUAL_FILES
        share = self.max_calls * 3 // 4
        if files != resource.RLIM_INFINITY:
            share = min(share, max(_FEWEST_STREAMS, (files - _OTHER_FILES) // 2))
        return Limits(
            max_calls=self.max_calls,
            max_streams=self.max_streams or max(1, share),
            max_streams_per_connection=self.max_streams_per_connection,
            first_message_seconds=self.first_message_seconds,
        )

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        for directory in self.temporary_directories:
            if not is_private(directory):
                yield "temporary_directories", f"{directory} was not made for an embedded service"
        if self.auth.certificates and self.tls.client_ca_file is None:
            yield "auth.certificates", "needs tls.client_ca_file, which makes clients show a certificate"
        try:
            parse_address(self.listen)
        except AddressError as error:
            yield "listen", str(error)
        try:
            parse_admin_address(self.admin_listen)
        except AddressError as error:
            yield "admin_listen", str(error)
        if self.max_streams > self.max_calls:
            yield "max_streams", f"at most max_calls ({self.max_calls})"
