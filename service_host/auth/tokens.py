"""Verifies JSON Web Tokens: OpenID Connect, and the service-account tokens of Kubernetes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jwt
import msgspec
import structlog

from service_host.auth.admission import Admission, CredentialKind, expired, no_tenant, refused, unavailable
from service_host.auth.jwks import FileSource, JwksError, JwksTimes, KeySet, UrlSource
from service_host.auth.principal import Principal, is_tenant
from service_host.auth.scopes import Scope
from service_host.settings.auth_config import AuthConfig, IssuerConfig

_REMEMBERED = 1024
_SUBJECT = re.compile(r"[!-~]{1,256}")
_REQUIRED = ["exp", "iss", "aud", "sub"]
_log = structlog.get_logger("service_host.auth")


class _Verified(msgspec.Struct, frozen=True):
    """A token that was verified, and the key that did it."""

    keys: KeySet
    key_id: str | None
    key: jwt.PyJWK
    admission: Admission


class TokenVerifier:
    """Verifies tokens of several issuers. Belongs to the event loop."""

    def __init__(self, config: AuthConfig, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._issuers = {each.issuer: (each, _key_set(each, config)) for each in config.issuers}
        self._verified: dict[bytes, _Verified] = {}
        """By hash; a stream of calls with one token costs one check of its signature."""

    async def admit(self, token: str) -> Admission:
        """Who holds this token. Raises ServiceError."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        # Asked each time: it is what fetches keys again, and what gives up keys that are too old.
        if known is None or await _find(known.keys, known.key_id) is not known.key:
            known = await self._verify(token)
            while len(self._verified) >= _REMEMBERED:
                self._verified.pop(next(iter(self._verified)))
            self._verified[digest] = known
        if fault := self.fault_of(known.admission):
            self._verified.pop(digest, None)
            raise expired(fault)
        return known.admission

    def fault_of(self, admission: Admission) -> str:
        """Why the token is no longer taken; empty: it is."""
        until = admission.expires_at_unix
        has_ended = until is not None and until + self._config.leeway_seconds <= self._now()
        return f"the token of {admission.principal.subject} has expired" if has_ended else ""

    async def close(self) -> None:
        """Ends what is being fetched."""
        for _, keys in self._issuers.values():
            await keys.close()

    async def _verify(self, token: str) -> _Verified:
        issuer, key_id = self._claimed(token)
        config, keys = self._issuers[issuer]
        key = await _find(keys, key_id)
        if key is None:
            raise refused("its issuer has no such key")
        return _Verified(keys, key_id, key, _admission(self._claims(token, key, config), config))

    def _claimed(self, token: str) -> tuple[str, str | None]:
        """Whose token it says it is, and which key it says signed it; nothing of that is believed."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise refused("this is no JSON Web Token") from error
        issuer, key_id = claims.get("iss"), header.get("kid")
        if not isinstance(issuer, str) or issuer not in self._issuers:
            raise refused("its issuer is not one that this service trusts")
        allowed = self._issuers[issuer][0].algorithms
        if header.get("alg") not in allowed:
            raise refused(f"its signature is none of {', '.join(allowed)}")
        if "crit" in header:
            raise refused("it asks for extensions that are not known here")
        return issuer, key_id if isinstance(key_id, str) else None

    def _claims(self, token: str, key: jwt.PyJWK, config: IssuerConfig) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[str(each) for each in config.algorithms],
                audience=list(config.audience),
                issuer=config.issuer,
                leeway=self._config.leeway_seconds,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise expired("the token has expired") from error
        except jwt.PyJWTError as error:
            raise refused(_fault(error)) from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise refused("its claims cannot be read") from error
        return claims


async def _find(keys: KeySet, key_id: str | None) -> jwt.PyJWK | None:
    try:
        return await keys.find(key_id)
    except JwksError as error:
        _log.warning("token_not_verified", issuer=keys.name, error=str(error))
        raise unavailable(keys.name) from error


def _fault(error: jwt.PyJWTError) -> str:
    """In our words: those of the library may repeat what the token says."""
    for kind, text in _FAULTS:
        if isinstance(error, kind):
            return text
    return "it cannot be verified"


_FAULTS = (
    (jwt.MissingRequiredClaimError, f"it lacks one of the claims {', '.join(_REQUIRED)}"),
    (jwt.InvalidAudienceError, "it is for another audience"),
    (jwt.InvalidIssuerError, "its issuer is not one that this service trusts"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAlgorithmError, "its signature is of another kind than its key"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
)


def _key_set(issuer: IssuerConfig, config: AuthConfig) -> KeySet:
    times = JwksTimes(config.jwks_refresh_seconds, config.jwks_retry_seconds, config.jwks_keep_seconds)
    if issuer.jwks_file is not None:
        return KeySet(issuer.issuer, FileSource(issuer.jwks_file), times)
    source = UrlSource(
        issuer.jwks_url, config.jwks_timeout_seconds, issuer.jwks_ca_file, issuer.jwks_token_file
    )
    return KeySet(issuer.issuer, source, times)


def _admission(claims: Mapping[str, Any], config: IssuerConfig) -> Admission:
    subject = claims["sub"]
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise refused("its subject is longer than 256 characters, or not of plain ones")
    tenant, scopes = _granted(claims, config)
    if not is_tenant(tenant):
        raise no_tenant(subject)
    token_id = claims.get("jti")
    is_plain = isinstance(token_id, str) and _SUBJECT.fullmatch(token_id) is not None
    principal = Principal(subject, tenant, scopes)
    return Admission(principal, CredentialKind.TOKEN, str(token_id) if is_plain else "", float(claims["exp"]))


def _granted(claims: Mapping[str, Any], config: IssuerConfig) -> tuple[str, frozenset[Scope]]:
    for grant in config.grants:
        if any(_fits(value, grant.value) for value in _texts(_claim(claims, grant.claim))):
            return grant.tenant, frozenset(grant.scopes)
    named = _claim(claims, config.tenant_claim) if config.tenant_claim else config.tenant
    known = {str(scope): scope for scope in Scope}
    texts = _texts(_claim(claims, config.scope_claim)) if config.scope_claim else ()
    further = (known[word] for text in texts for word in text.split() if word in known)
    return named if isinstance(named, str) else "", frozenset((*config.scopes, *further))


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, or by a path; names may hold slashes themselves, as Kubernetes' and URLs do."""
    if path in claims:
        return claims[path]
    for name, inner in claims.items():
        if isinstance(inner, Mapping) and path.startswith(f"{name}/"):
            return _claim(inner, path.removeprefix(f"{name}/"))
    return None


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else ()


def _fits(value: str, pattern: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
