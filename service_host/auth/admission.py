"""What a caller shows, and what comes of it: the principal, and for how long it is one."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.principal import LOCAL, Principal
from service_host.auth.scopes import Scope
from service_host.status.status import ServiceError

_RETRY_SECONDS = 5.0


class CredentialKind(StrEnum):
    """What proved who calls."""

    NONE = "none"
    """Nothing: the service does not ask."""
    KEY = "key"
    TOKEN = "token"  # noqa: S105 - the kind of a credential, none itself
    CERTIFICATE = "certificate"


class Shown(msgspec.Struct, frozen=True):
    """The credentials of one call, unverified."""

    authorization: tuple[str | bytes, ...] = ()
    """The values of the metadata or header `authorization`."""
    certificate_pem: bytes = b""
    """The client's certificate; TLS has checked that an authority of ours issued it. Empty: none."""
    origin: str = ""
    """The web page that calls, as its browser names it. Empty: a program calls."""


class Admission(msgspec.Struct, frozen=True):
    """A caller that came in."""

    principal: Principal
    kind: CredentialKind = CredentialKind.NONE
    credential_id: str = ""
    """A key's id, a token's `jti` or a certificate's serial number; never the credential."""
    expires_at_unix: float | None = None
    """When the credential ends. None: never."""


LOCAL_ADMISSION = Admission(LOCAL)


def missing(ways: str) -> ServiceError:
    """Nothing was shown. `ways`: what this service takes."""
    message = f"this service asks who calls, and nothing was shown; it takes {ways}"
    return ServiceError(reasons.ERROR_REASON_CREDENTIALS_MISSING, message)


def refused(why: str) -> ServiceError:
    """What was shown is no good; `why` holds nothing of it."""
    return ServiceError(reasons.ERROR_REASON_CREDENTIALS_REFUSED, f"the credential is refused: {why}")


def expired(why: str) -> ServiceError:
    """What was shown is no good any more."""
    return ServiceError(reasons.ERROR_REASON_CREDENTIALS_EXPIRED, why)


def no_tenant(subject: str) -> ServiceError:
    """The caller is known, and no tenant is its own."""
    message = f"{subject} is known, but no tenant is assigned to it"
    return ServiceError(reasons.ERROR_REASON_NOT_PERMITTED, message, metadata={"scope": ""})


def not_permitted(principal: Principal, method: str, needed: frozenset[Scope]) -> ServiceError:
    """The caller lacks every scope that would do."""
    names = sorted(needed)
    message = f"{principal.subject} lacks the scope {' or '.join(names)}, which {method} needs"
    return ServiceError(reasons.ERROR_REASON_NOT_PERMITTED, message, metadata={"scope": "|".join(names)})


def unavailable(issuer: str) -> ServiceError:
    """The issuer's keys cannot be had now, so nobody with a token of it comes in."""
    message = f"tokens of {issuer} cannot be verified now: the issuer's keys cannot be fetched"
    return ServiceError(
        reasons.ERROR_REASON_VERIFIER_UNAVAILABLE, message, retry_after_seconds=_RETRY_SECONDS
    )
