"""Whose quotas something counts in: a tenant's, and those of one principal of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeVar

from service_host.auth.principal import TENANT_FORM, is_tenant

QuotaT = TypeVar("QuotaT")
Quota_co = TypeVar("Quota_co", covariant=True)


class QuotaTable(Protocol[Quota_co]):
    """What a service's configuration says of quotas; each service has its own kind of them."""

    @property
    def each_tenant(self) -> Quota_co:
        """Of every tenant that is not named in `tenants`."""

    @property
    def each_principal(self) -> Quota_co:
        """Of every principal of every tenant."""

    @property
    def tenants(self) -> Mapping[str, Quota_co]:
        """Tenant to its own, which holds instead of `each_tenant` as a whole."""


def quota_of(table: QuotaTable[QuotaT], holder: str) -> QuotaT:
    """What a tenant or a principal may have."""
    if is_principal(holder):
        return table.each_principal
    return table.tenants.get(tenant_of(holder), table.each_tenant)


def is_any_set(table: QuotaTable[object], field: str) -> bool:
    """Whether a quota is set for anybody."""
    quotas = (table.each_tenant, table.each_principal, *table.tenants.values())
    return any(getattr(quota, field) for quota in quotas)


def faults_of(table: QuotaTable[object]) -> Iterator[tuple[str, str]]:
    """Yields what the fields' types cannot say."""
    for tenant in table.tenants:
        if not is_tenant(tenant):
            yield "tenants", f"{tenant!r} is no tenant's name; expected the form {TENANT_FORM}"


def holders_of(tenant: str, subject: str) -> tuple[str, ...]:
    """The names of both; a tenant's name has no slash, so no two holders share one.

    A caller without a name (a service that asks nobody, a job of an older release) has only its tenant's.
    """
    return (tenant, f"{tenant}/{subject}") if subject else (tenant,)


def is_principal(holder: str) -> bool:
    """Whether the quotas of one principal are meant, not those of a whole tenant."""
    return "/" in holder


def tenant_of(holder: str) -> str:
    """Whose principal it is, or the tenant itself."""
    return holder.partition("/")[0]
