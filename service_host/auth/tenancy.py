"""For which tenant a call acts: its principal's own, or the one that an administrator names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.audit import note_foreign_read
from service_host.auth.principal import LOCAL, TENANT_FORM, Principal, acting_as, current_principal, is_tenant
from service_host.auth.scopes import Scope
from service_host.status.status import FieldViolation, ServiceError

if TYPE_CHECKING:
    import grpc.aio

TENANT_KEY = "telecine-tenant"
"""The metadata in which a principal with `admin` names another tenant."""

EVERY_TENANT = "*"
"""What the audit trail says of a list of all tenants."""


def acting_tenant(context: grpc.aio.ServicerContext[Any, Any], what: str = "") -> str:
    """Whose jobs or records a call is about; `what` of them, for the audit trail.

    Raises ServiceError INVALID_FIELD, NOT_PERMITTED.
    """
    tenant = _named_tenant(context) or current_principal().tenant
    _note(tenant, what)
    return tenant


def visible_tenant(context: grpc.aio.ServicerContext[Any, Any], what: str = "") -> str | None:
    """Whose jobs or records a list shows; None: those of all, as `admin` sees them unless it names a tenant.

    Raises ServiceError INVALID_FIELD, NOT_PERMITTED.
    """
    named, principal = _named_tenant(context), current_principal()
    tenant = named or (None if is_admin(principal) else principal.tenant)
    _note(EVERY_TENANT if tenant is None else tenant, what)
    return tenant


@contextmanager
def acting_for(named: Sequence[str], what: str) -> Iterator[None]:
    """Acts for the tenant that a request over HTTP names in headers of this name, as gRPC's metadata does.

    Raises ServiceError INVALID_FIELD, NOT_PERMITTED.
    """
    principal = current_principal()
    tenant = _permitted(named) or principal.tenant
    _note(tenant, what)
    if tenant == principal.tenant:
        yield
        return
    with acting_as(msgspec.structs.replace(principal, tenant=tenant)):
        yield


def _note(tenant: str, what: str) -> None:
    """A look at another tenant's things is recorded, where somebody was asked who they are."""
    if current_principal() != LOCAL:
        note_foreign_read(tenant, what)


def is_admin(principal: Principal) -> bool:
    """Whether every tenant's jobs and records are open to it."""
    return Scope.ADMIN in principal.scopes


def _named_tenant(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The tenant that the call names; empty: none. It is no secret who exists: nothing is looked up here."""
    return _permitted([value for key, value in context.invocation_metadata() or () if key == TENANT_KEY])


def _permitted(values: Sequence[object]) -> str:
    if not values:
        return ""
    principal, named = current_principal(), values[-1]
    if not isinstance(named, str) or not is_tenant(named):
        raise _refused(f"expected one tenant of the form {TENANT_FORM}")
    if named != principal.tenant and not is_admin(principal):
        raise ServiceError(
            reasons.ERROR_REASON_NOT_PERMITTED,
            f"metadata {TENANT_KEY}: another tenant than one's own is named with the scope admin alone",
            metadata={"scope": Scope.ADMIN.value},
        )
    return named


def _refused(expected: str) -> ServiceError:
    return ServiceError(
        reasons.ERROR_REASON_INVALID_FIELD,
        f"metadata {TENANT_KEY}: {expected}",
        violations=[FieldViolation(TENANT_KEY, expected)],
    )
