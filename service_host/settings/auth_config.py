"""The settings of who may come in; they stand in a service's configuration as `host.auth`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from service_host.auth.key_file import KeyFileError, read_keys
from service_host.auth.principal import TENANT_FORM, is_tenant
from service_host.auth.scopes import Scope

Seconds = Annotated[float, msgspec.Meta(gt=0, le=30 * 86_400)]


class Algorithm(StrEnum):
    """Signatures that need no shared secret; there are no others here on purpose."""

    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


class ClaimGrant(msgspec.Struct, frozen=True):
    """What a token gets whose claim has a value."""

    value: str
    """Of the claim, or of one of its members where it is a list. A "*" at the end stands for any rest."""
    tenant: str
    """Whose jobs and records the caller shares."""
    scopes: tuple[Scope, ...]
    """What the caller may do."""
    claim: str = "sub"
    """A name, or a path such as "kubernetes.io/namespace", whose parts are separated by "/"."""


class IssuerConfig(msgspec.Struct, frozen=True):
    """One issuer of JSON Web Tokens: an OpenID Connect provider, or a Kubernetes cluster."""

    issuer: str
    """The claim `iss`, letter by letter."""
    audience: tuple[str, ...]
    """A token must be for one of these. Mandatory: else a token for any other service would open this one."""
    jwks_url: str = ""
    """Where its public keys are: https, or http on this machine. Or `jwks_file`."""
    jwks_file: Path | None = None
    """Its public keys as a file, read again when it changes."""
    jwks_ca_file: Path | None = None
    """The authority of `jwks_url`, PEM. None: the system's."""
    jwks_token_file: Path | None = None
    """Sent as a bearer token to `jwks_url`, read at each fetch. None: none. Kubernetes wants one."""
    algorithms: tuple[Algorithm, ...] = (Algorithm.RS256, Algorithm.ES256)
    """Signatures that are taken."""
    grants: tuple[ClaimGrant, ...] = ()
    """The first that fits decides tenant and scopes. Where none fits, the settings below do."""
    tenant: str = ""
    """Of all tokens of this issuer. Empty: `tenant_claim` says."""
    tenant_claim: str = ""
    """The claim that names the tenant. Empty: none does; a token without a tenant is refused."""
    scopes: tuple[Scope, ...] = ()
    """What every token of this issuer may do."""
    scope_claim: str = ""
    """The claim with further scopes: a list, or a text with blanks. Empty: none."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if not self.issuer:
            yield "issuer", 'expected what tokens have as "iss"'
        if not self.audience or not all(self.audience):
            yield "audience", "expected at least one, such as this service's name"
        if not self.algorithms:
            yield "algorithms", "expected at least one"
        if bool(self.jwks_url) == (self.jwks_file is not None):
            yield "jwks_url", "expected either jwks_url or jwks_file"
        elif self.jwks_url and not _may_be_fetched(self.jwks_url):
            yield "jwks_url", "expected an https:// URL without a user, or http:// on this machine"
        for name in ("jwks_file", "jwks_ca_file", "jwks_token_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                yield name, f"expected a file that can be read, found none at {path}"
        if self.tenant and self.tenant_claim:
            yield "tenant", "expected either tenant or tenant_claim"
        if not (self.grants or self.tenant or self.tenant_claim):
            yield "tenant", "expected tenant, tenant_claim or grants: nobody could come in"
        if self.tenant and not is_tenant(self.tenant):
            yield "tenant", _NO_TENANT
        yield from _faults_of_grants("grants", self.grants)


class CertificateGrant(msgspec.Struct, frozen=True):
    """What the holder of a client certificate gets; needs `host.tls.client_ca_file`."""

    value: str
    """A DNS name or a URI (such as a SPIFFE id) among the certificate's subject alternative names, letter by
    letter. A "*" at the end of a URI stands for any rest; "*." before a DNS name for one label."""
    tenant: str
    """Whose jobs and records the caller shares."""
    scopes: tuple[Scope, ...]
    """What the caller may do."""


class AuthConfig(msgspec.Struct, frozen=True):
    """Who may come in. Without `keys_file`, `issuers` and `certificates`: everybody who reaches the port."""

    keys_file: Path | None = None
    """API keys, as `telecine keys` writes them; read again when it changes."""
    issuers: tuple[IssuerConfig, ...] = ()
    """Whose tokens are taken."""
    certificates: tuple[CertificateGrant, ...] = ()
    """Whose client certificates are taken; the first that fits decides."""
    leeway_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 30.0
    """For clocks that differ. A stream outlives its token by so long, too: time to resume with the next."""
    max_token_bytes: Annotated[int, msgspec.Meta(ge=256, le=64 * 1024)] = 8192
    """Longer tokens are refused unread; far longer ones by gRPC itself, with RESOURCE_EXHAUSTED."""
    recheck_seconds: Annotated[float, msgspec.Meta(gt=0, le=5)] = 1.0
    """How often open streams are checked for credentials that have expired or were revoked."""
    jwks_refresh_seconds: Seconds = 300.0
    """Keys older than this are fetched again, while they go on being used."""
    jwks_retry_seconds: Seconds = 10.0
    """No two fetches are closer, however many tokens name unknown keys."""
    jwks_timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    """For a fetch as a whole."""
    jwks_keep_seconds: Seconds = 4 * 3600.0
    """How long keys are used that cannot be fetched again. After that their tokens are refused."""
    audit_file_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024)] = 16 * 1024 * 1024
    """Size at which `audit.log`, beside the service's own log, is rotated."""
    audit_files: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    """How many rotated ones stay; the oldest goes."""
    is_metrics_open: bool = False
    """Whether /metrics answers without a credential. False: it needs the scope `metrics`."""

    @property
    def is_on(self) -> bool:
        """Whether callers have to say who they are."""
        return self.keys_file is not None or bool(self.issuers) or bool(self.certificates)

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.keys_file is not None:
            try:
                read_keys(self.keys_file)
            except KeyFileError as error:
                yield "keys_file", str(error)
        seen = set()
        for issuer in self.issuers:
            if issuer.issuer in seen:
                yield "issuers", f"{issuer.issuer!r} stands there twice"
            seen.add(issuer.issuer)
        yield from _faults_of_grants("certificates", self.certificates)
        for grant in self.certificates:
            if not _is_name(grant.value):
                expected = 'expected a DNS name or a URI; "*" only at the end of a URI or as a first label'
                yield "certificates", f"{grant.value!r}: {expected}"


_NO_TENANT = f"expected a tenant of the form {TENANT_FORM}"


def _faults_of_grants(
    field: str, grants: Sequence[ClaimGrant | CertificateGrant]
) -> Iterator[tuple[str, str]]:
    for index, grant in enumerate(grants):
        if not grant.value or grant.value == "*":
            yield f"{field}[{index}].value", "expected more than nothing or any value"
        if not is_tenant(grant.tenant):
            yield f"{field}[{index}].tenant", _NO_TENANT
        if not grant.scopes:
            yield f"{field}[{index}].scopes", f"expected some of {', '.join(Scope)}"


def _is_name(value: str) -> bool:
    stars = value.count("*")
    return not stars or (stars == 1 and (value.endswith("*") if "://" in value else value.startswith("*.")))


def _may_be_fetched(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether it is this machine alone: by its number, or by the one name that means that everywhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
