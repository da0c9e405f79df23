"""Lets a call in or not: who calls, whether that caller may, and for how long an open stream may stay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import grpc
import grpc.aio
import msgspec
import structlog

from service_host.auth import audit as auditing
from service_host.auth.admission import LOCAL_ADMISSION, Admission, Shown, expired, not_permitted
from service_host.auth.audit import Audit, Caller
from service_host.auth.doors import Doors
from service_host.auth.scopes import Scope, scopes_of
from service_host.calls.bounds import Ticket
from service_host.calls.registration import method_of
from service_host.status.status import ServiceError

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_HEALTH = "/grpc.health.v1.Health/"
_REFLECTION = "/grpc.reflection."
_AUTHORIZATION = "authorization"
_TENANTS_SHARE = 2
_STRANGERS_SHARE = 8
_CERTIFICATE = "x509_pem_cert"


class Access(msgspec.Struct, frozen=True):
    """Who may call a method."""

    is_open: bool = False
    """Everybody: nothing is asked."""
    scopes: frozenset[Scope] = frozenset()
    """One of these is needed; empty: every known caller may."""


def access_to(method: str, handler: grpc.RpcMethodHandler[Any, Any]) -> Access:
    """What stands beside the servicer's method. Raises TypeError where nothing does: then nobody may."""
    if method.startswith(_HEALTH):
        return Access(is_open=True)
    if method.startswith(_REFLECTION):
        return Access()
    scopes = scopes_of(method_of(handler))
    if scopes is None:
        raise TypeError(f"no scope is declared for {method}")
    return Access(scopes=scopes)


class Guard:
    """Stands before every call of one server. Belongs to the event loop.

    `doors`: None: the service does not ask who calls, and everybody is the local principal.
    """

    def __init__(self, doors: Doors | None = None, audit: Audit | None = None) -> None:
        self._doors = doors
        self._audit = audit or Audit()
        self._staying: dict[Ticket, Caller] = {}

    async def admit(self, method: str, access: Access, context: Context) -> Admission:
        """Who calls. Raises ServiceError for a caller that is unknown, or known and not permitted."""
        if self._doors is None or access.is_open:
            return LOCAL_ADMISSION
        return await self.check(Caller(method, context.peer()), access, _shown(context))

    def share_of(self, access: Access, admission: Admission) -> tuple[str, int]:
        """Who shares the places of a kind of calls, and which part of them it may take: one of so many.

        Without authentication there is one tenant. What is open to strangers must not shut others out.
        """
        if self._doors is None:
            return admission.principal.tenant, 1
        return ("", _STRANGERS_SHARE) if access.is_open else (admission.principal.tenant, _TENANTS_SHARE)

    async def check(self, caller: Caller, access: Access, shown: Shown) -> Admission:
        """Does as `admit`, for whatever way the call came. `caller`: with nobody known yet."""
        if self._doors is None or access.is_open:
            return LOCAL_ADMISSION
        method = caller.rpc
        try:
            admission = await self._doors.admit(shown)
            caller = msgspec.structs.replace(caller, admission=admission)
            if access.scopes and not admission.principal.has_any(access.scopes):
                raise not_permitted(admission.principal, method, access.scopes)
        except ServiceError as error:
            self._audit.refused(caller, error.reason_name, error.message)
            raise
        self._audit.used(caller, access.scopes)
        auditing.set_current(self._audit, caller)
        return admission

    def require_good(self, caller: Caller, admission: Admission) -> None:
        """Judges the credential of a caller that was let in once more, before its request takes effect.

        Raises ServiceError where it has expired, was revoked or was changed since.
        """
        if self._doors is None or admission is LOCAL_ADMISSION:
            return
        self._doors.refresh()
        fault = self._doors.fault_of(admission)
        if fault:
            self._audit.ended(msgspec.structs.replace(caller, admission=admission), fault)
            raise expired(f"{fault}; nothing was taken, send the request again with another credential")

    @contextmanager
    def staying(self, method: str, peer: str, ticket: Ticket, admission: Admission) -> Iterator[None]:
        """Ends the call when its credential ends, while the body runs."""
        if self._doors is None or not ticket.is_stream or admission is LOCAL_ADMISSION:
            yield
            return
        self._staying[ticket] = Caller(method, peer, admission)
        try:
            yield
        finally:
            del self._staying[ticket]

    async def watch(self, interval_seconds: float) -> None:
        """Looks again and again whether open streams may stay; ends only by cancellation."""
        while True:
            await asyncio.sleep(interval_seconds)
            try:
                self.recheck()
            except Exception:  # noqa: BLE001 - whatever it was, the next look is as needed as this one
                structlog.get_logger("service_host.auth").exception("credentials_not_rechecked")

    def recheck(self) -> None:
        """Takes up changed keys, and ends the streams whose credential is no longer good."""
        if self._doors is None:
            return
        self._doors.refresh()
        for ticket, caller in list(self._staying.items()):
            fault = self._doors.fault_of(caller.admission) if caller.admission is not None else ""
            if fault and ticket.error is None:
                self._audit.ended(caller, fault)
                ticket.end(expired(f"{fault}; the call ends, and may be resumed with another credential"))

    async def close(self) -> None:
        """Releases what it holds. Idempotent."""
        if self._doors is not None:
            await self._doors.close()


def _shown(context: Context) -> Shown:
    authorization = tuple(
        value for key, value in context.invocation_metadata() or () if key == _AUTHORIZATION
    )
    if authorization:
        return Shown(authorization)
    certificates = context.auth_context().get(_CERTIFICATE) or ()
    return Shown(certificate_pem=next(iter(certificates), b""))
