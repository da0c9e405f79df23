"""What the audit trail is given: refusals, administrative acts, uses of keys, and looks at others' things."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import StrEnum
from typing import TypeAlias, TypeVar

import msgspec
import structlog

from service_host.auth.admission import Admission, CredentialKind
from service_host.auth.principal import DEFAULT_TENANT, current_principal
from service_host.auth.scopes import Scope

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

WriteAudit: TypeAlias = Callable[[str, Mapping[str, str]], None]
"""Takes the event and its fields. Must neither block nor raise."""

_QUIET_SECONDS = 60.0
_REMEMBERED = 4096
_MAX_REFUSALS = 600
"""Of one peer's machine within the same minute; what is beyond is counted and stated with the next."""


class AuditEvent(StrEnum):
    """What an audit record is about."""

    REFUSED = "access_refused"
    """A call was refused: no credential, a bad one, or a scope that is missing."""
    ENDED = "credential_ended"
    """An open stream was ended, for its credential had expired or was revoked."""
    KEY_USED = "credential_used"
    """A credential was used with an rpc: the first time, and then once a minute at most."""
    ADMIN = "admin_act"
    """Something that needs the scope `admin` was done."""
    FOREIGN_READ = "foreign_read"
    """An `admin` looked at a job or at records of another tenant."""


class Caller(msgspec.Struct, frozen=True):
    """A call, as the audit trail names it."""

    rpc: str
    peer: str
    admission: Admission | None = None
    """None: nobody is known."""


class Audit:
    """Says what is worth a record, and bounds how many there are. Belongs to the event loop."""

    def __init__(
        self, write: WriteAudit | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write or log_through_structlog
        self._monotonic = monotonic
        self._used_at: dict[tuple[str, ...], float] = {}
        self._refusals: dict[str, tuple[float, int]] = {}

    def refused(self, caller: Caller, reason: str, message: str) -> None:
        """A call was refused."""
        now, host = self._monotonic(), _machine_of(caller.peer)
        since, count = self._refusals.get(host, (now, 0))
        left_out = 0
        if now - since >= _QUIET_SECONDS:
            since, left_out, count = now, max(0, count - _MAX_REFUSALS), 0
        _remember(self._refusals, host, (since, count + 1))
        if count < _MAX_REFUSALS:
            more = {"left_out_before": str(left_out)} if left_out else {}
            self._record(AuditEvent.REFUSED, caller, reason=reason, detail=message, **more)

    def ended(self, caller: Caller, why: str) -> None:
        """An open stream was ended."""
        self._record(AuditEvent.ENDED, caller, reason="CREDENTIALS_EXPIRED", detail=why)

    def used(self, caller: Caller, needed: frozenset[Scope]) -> None:
        """A call came in. Administrative ones are all recorded, the others once a minute."""
        admission = caller.admission
        if admission is None or admission.kind is CredentialKind.NONE:
            return
        if Scope.ADMIN in needed:
            self._record(AuditEvent.ADMIN, caller)
            return
        use = (admission.kind, admission.credential_id or admission.principal.subject, caller.rpc)
        now = self._monotonic()
        if now - self._used_at.get(use, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            _remember(self._used_at, use, now)
            self._record(AuditEvent.KEY_USED, caller)

    def read_foreign(self, caller: Caller, tenant: str, what: str) -> None:
        """An `admin` was shown something of another tenant."""
        self._record(AuditEvent.FOREIGN_READ, caller, of_tenant=tenant, detail=what)

    def _record(self, event: AuditEvent, caller: Caller, **fields: str) -> None:
        known = {}
        if caller.admission is not None:
            principal = caller.admission.principal
            known = {
                "subject": principal.subject,
                "tenant": principal.tenant,
                "credential": str(caller.admission.kind),
                "credential_id": caller.admission.credential_id,
            }
        self._write(event, {"rpc": caller.rpc, "peer": caller.peer, **known, **fields})


_CURRENT: ContextVar[tuple[Audit, Caller] | None] = ContextVar("telecine_audit", default=None)


def set_current(audit: Audit, caller: Caller) -> None:
    """Makes the call current for the rest of this task."""
    _CURRENT.set((audit, caller))


def note_foreign_read(tenant: str, what: str) -> None:
    """To be called where an `admin` is shown a job or records of another tenant; else it does nothing.

    `what`: the job's id, or what else was read; no content.
    """
    current = _CURRENT.get()
    if current is not None and tenant != current_principal().tenant:
        audit, caller = current
        audit.read_foreign(caller, tenant or DEFAULT_TENANT, what)


def log_through_structlog(event: str, fields: Mapping[str, str]) -> None:
    """The default: a record of the logger "service_host.audit"."""
    structlog.get_logger("service_host.audit").info(event, **fields)


def _machine_of(peer: str) -> str:
    return peer.rpartition(":")[0] or peer


def _remember(table: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    table.pop(key, None)
    while len(table) >= _REMEMBERED:
        table.pop(next(iter(table)))
    table[key] = value
