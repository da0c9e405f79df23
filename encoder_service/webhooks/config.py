"""What can be said about webhooks; all of it takes effect while the service runs."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from telecine.tls.options import Tls
from telecine.tls.pem_files import faults_of_files

from encoder_service.spec.spec import WebhookEvent
from encoder_service.webhooks.destination import faults_of_url
from encoder_service.webhooks.signature import secret_bytes
from service_host.settings.host_config import Positive

Count = Annotated[int, msgspec.Meta(ge=1)]


class EndpointConfig(msgspec.Struct, frozen=True):
    """A receiver that is notified about every job. Any address is allowed here, plain HTTP too."""

    url: str
    """"https://host[:port]/path"."""
    events: tuple[WebhookEvent, ...] = (WebhookEvent.JOB_ENDED,)
    """Of job.received, output.ended, job.ended."""
    secret: str = ""
    """Signs what goes there, in the form of `webhooks.secret`. Empty: that one."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        for fault in faults_of_url(self.url, allows_plain_http=True):
            yield "url", fault
        yield from _faults_of_secret("secret", self.secret)
        if not self.events:
            yield "events", "expected at least one"


class WebhooksConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who is notified about jobs, how often it is tried, and which addresses are allowed."""

    secret: str = ""
    """Signs deliveries: "whsec_" and 24 to 64 random bytes in Base64. Empty: jobs cannot name webhooks."""
    previous_secret: str = ""
    """Signs besides `secret` while receivers change over. Empty: none."""
    endpoints: tuple[EndpointConfig, ...] = ()
    """Receivers that are notified about every job."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that jobs may name, such as "hooks.example.com" or "*.example.com". Empty: any."""
    allowed_networks: tuple[str, ...] = ()
    """Networks in which a job's webhook may lie although they are not public, such as "10.0.0.0/8"."""
    allows_plain_http: bool = False
    """Whether jobs may name "http://" URLs."""
    ca_file: Path | None = None
    """Authorities for HTTPS, PEM. None: the system's."""
    cert_file: Path | None = None
    """The certificate to show to receivers of `endpoints` that ask for one, PEM. Hosts that jobs name see it
    never."""
    key_file: Path | None = None
    """Its private key, PEM, without a password."""
    timeout_seconds: Positive = 10.0
    """For one try, from looking up the name to the answer's head."""
    first_retry_seconds: Positive = 5.0
    """Between the first try and the second; doubled for each further one, with up to half taken off."""
    max_retry_seconds: Positive = 3600.0
    """No pause is longer, also where the receiver asks for it."""
    give_up_after_seconds: Positive = 86400.0
    """What is this old and was never taken is given up, with an error in the log."""
    deliveries_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    """One receiver gets half of them at most."""
    max_pending: Count = 5000
    """Beyond it the oldest is given up, with an error in the log."""

    def keys(self, url: str) -> list[bytes]:
        """What signs a delivery to this URL; empty: nothing may go there."""
        own = next((endpoint.secret for endpoint in self.endpoints if endpoint.url == url), "")
        secrets = (own,) if own else (self.secret, self.previous_secret)
        return [secret_bytes(secret) for secret in secrets if secret]

    def is_endpoint(self, url: str) -> bool:
        """Whether the configuration itself names this URL."""
        return any(endpoint.url == url for endpoint in self.endpoints)

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        yield from _faults_of_secret("secret", self.secret)
        yield from _faults_of_secret("previous_secret", self.previous_secret)
        for index, endpoint in enumerate(self.endpoints):
            if not (endpoint.secret or self.secret):
                yield f"endpoints[{index}].secret", "needs a secret, its own or webhooks.secret"
        for network in self.allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                yield "allowed_networks", f'expected networks such as "10.0.0.0/8": {error}'
        yield from faults_of_files(self.tls())

    def tls(self, *, is_endpoint: bool = True) -> Tls:
        """Whom a delivery trusts and, to an endpoint, what it shows."""
        if not is_endpoint:
            return Tls(ca_file=self.ca_file)
        return Tls(ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)


def _faults_of_secret(field: str, secret: str) -> Iterator[tuple[str, str]]:
    if secret:
        try:
            secret_bytes(secret)
        except ValueError as error:
            yield field, str(error)
