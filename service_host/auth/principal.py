"""Who calls: the subject, its tenant and its scopes, for as long as a call lasts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from service_host.auth.scopes import EVERY_SCOPE, Scope

DEFAULT_TENANT = "default"
"""The tenant of a service without authentication, and of what an earlier release left behind."""

TENANT_FORM = "[a-z0-9][a-z0-9._-]{0,62}"
"""Tenants name directories, metric labels and log fields, so the form is narrow."""

_TENANT = re.compile(TENANT_FORM)


class Principal(msgspec.Struct, frozen=True):
    """One caller, as its credential states it; nothing in it comes from a message."""

    subject: str
    """Who it is within its tenant, such as a key's subject, a certificate's name or a service account."""
    tenant: str
    """Whose jobs and records it sees. Of the form TENANT_FORM."""
    scopes: frozenset[Scope]

    def has_any(self, scopes: frozenset[Scope]) -> bool:
        """Whether it has one of these scopes; `admin` stands for each of them."""
        return Scope.ADMIN in self.scopes or bool(self.scopes & scopes)


LOCAL = Principal(subject="local", tenant=DEFAULT_TENANT, scopes=EVERY_SCOPE)
"""The caller of a service without authentication, and of what a service does by itself."""

_CURRENT: ContextVar[Principal] = ContextVar("telecine_principal", default=LOCAL)


def current_principal() -> Principal:
    """The caller of the call that is being handled; LOCAL outside of one.

    It follows a call into its handler, whether unary or a stream, into the tasks that the handler creates and
    into `asyncio.to_thread`, but not into `loop.run_in_executor` or a thread pool: take it before.
    """
    return _CURRENT.get()


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Makes the principal current while the body runs."""
    token = _CURRENT.set(principal)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def is_tenant(text: str) -> bool:
    """Whether the text can be the name of a tenant."""
    return _TENANT.fullmatch(text) is not None
