"""Whose quotas something counts in: a tenant's, and those of one principal of it."""

from __future__ import annotations


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
