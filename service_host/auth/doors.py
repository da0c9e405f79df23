"""The chain of verifiers: says who shows a credential, and whether it is still good."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from service_host.auth.admission import Admission, CredentialKind, Shown, missing, refused
from service_host.auth.certificates import CertificateVerifier
from service_host.auth.key_file import PREFIX
from service_host.auth.keys import KeyRing
from service_host.auth.tokens import TokenVerifier
from service_host.settings.auth_config import AuthConfig

_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/=-]+)")


class Doors:
    """Everything that a service takes for a credential. Belongs to the event loop.

    A bearer token decides alone: one that is wrong is refused, whatever certificate stands beside it.
    """

    def __init__(self, config: AuthConfig, now: Callable[[], float] = time.time) -> None:
        """Raises KeyFileError."""
        self._config = config
        self._keys = KeyRing(config.keys_file, now) if config.keys_file is not None else None
        self._tokens = TokenVerifier(config, now) if config.issuers else None
        self._certificates = CertificateVerifier(config.certificates, now) if config.certificates else None

    async def admit(self, shown: Shown) -> Admission:
        """Who calls. Raises ServiceError."""
        if shown.authorization:
            token = self._token_of(shown)
            if token.startswith(PREFIX):
                if self._keys is None:
                    raise refused("this service takes no API keys")
                return self._keys.admit(token, shown.origin)
            if self._tokens is None:
                raise refused("this service takes no tokens of issuers")
            return await self._tokens.admit(token)
        if shown.certificate_pem and self._certificates is not None:
            return self._certificates.admit(shown.certificate_pem)
        raise missing(self._ways())

    def fault_of(self, admission: Admission) -> str:
        """Why a caller that came in may not stay; empty: it may."""
        match admission.kind:
            case CredentialKind.KEY if self._keys is not None:
                fault = self._keys.fault_of(admission.credential_id)
                changed = f"the API key {admission.credential_id} was changed"
                return fault or ("" if self._keys.holds(admission) else changed)
            case CredentialKind.TOKEN if self._tokens is not None:
                return self._tokens.fault_of(admission)
            case CredentialKind.CERTIFICATE if self._certificates is not None:
                return self._certificates.fault_of(admission)
        return ""

    def refresh(self) -> None:
        """Takes up what has changed on the disk."""
        if self._keys is not None:
            self._keys.reload_if_changed()

    async def close(self) -> None:
        """Releases what it holds. Idempotent."""
        if self._tokens is not None:
            await self._tokens.close()

    def _token_of(self, shown: Shown) -> str:
        if len(shown.authorization) > 1:
            raise refused("authorization stands there twice")
        value = shown.authorization[0]
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        if len(text) > self._config.max_token_bytes + len("Bearer "):
            raise refused(f"it is longer than {self._config.max_token_bytes} bytes")
        found = _BEARER.fullmatch(text)
        if found is None:
            raise refused('expected "authorization: Bearer <token>"')
        return found[1]

    def _ways(self) -> str:
        ways = [
            "an API key" if self._keys else "",
            "a token of its issuers" if self._tokens else "",
            "a client certificate" if self._certificates else "",
        ]
        named = " or ".join(way for way in ways if way)
        is_bearer = self._keys is not None or self._tokens is not None
        return named + (' ("authorization: Bearer <token>")' if is_bearer else "")
