"""For which tenant a call acts: its principal's own, or the one that an administrator names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telecine.errors.v1 import error_reason_pb2 as reasons

from service_host.auth.principal import TENANT_FORM, Principal, current_principal, is_tenant
from service_host.auth.scopes import Scope
from service_host.status.status import FieldViolation, ServiceError

if TYPE_CHECKING:
    import grpc.aio

TENANT_KEY = "telecine-tenant"
"""The metadata in which a principal with `admin` names another tenant."""


def acting_tenant(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Whose jobs or records a call is about. Raises ServiceError INVALID_FIELD, NOT_PERMITTED."""
    return _named_tenant(context) or current_principal().tenant


def visible_tenant(context: grpc.aio.ServicerContext[Any, Any]) -> str | None:
    """Whose jobs or records a list shows; None: those of all, as `admin` sees them unless it names a tenant.

    Raises ServiceError INVALID_FIELD, NOT_PERMITTED.
    """
    named, principal = _named_tenant(context), current_principal()
    return named or (None if is_admin(principal) else principal.tenant)


def is_admin(principal: Principal) -> bool:
    """Whether every tenant's jobs and records are open to it."""
    return Scope.ADMIN in principal.scopes


def _named_tenant(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The tenant that the call names; empty: none. It is no secret who exists: nothing is looked up here."""
    values = [value for key, value in context.invocation_metadata() or () if key == TENANT_KEY]
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
