"""Whose records a call ships or reads, as the journal and the files name tenants."""

from __future__ import annotations

from typing import Any, TypeAlias

from log_collector.quotas.intake_pace import IntakePace, Sender
from service_host.auth.principal import DEFAULT_TENANT, current_principal
from service_host.auth.tenancy import acting_tenant, visible_tenant
from service_host.quotas.holders import holders_of

Context: TypeAlias = Any
"""gRPC's, as the servicer has it."""


class Doors:
    """Lives on the event loop. The root tenant is "" behind it, whatever its name."""

    def __init__(self, pace: IntakePace, root_tenant: str = DEFAULT_TENANT) -> None:
        self._pace = pace
        self._root_tenant = root_tenant

    def sender(self, context: Context) -> Sender:
        """Who ships. Raises ServiceError."""
        tenant = acting_tenant(context, "records sent")
        return Sender(self._place(tenant), holders_of(tenant, current_principal().subject), self._pace)

    def own(self) -> Sender:
        """Who ships, where no tenant can be named."""
        principal = current_principal()
        holders = holders_of(principal.tenant, principal.subject)
        return Sender(self._place(principal.tenant), holders, self._pace)

    def acting(self, context: Context) -> str:
        """Whose records a call is about. Raises ServiceError."""
        return self._place(acting_tenant(context, "story"))

    def visible(self, context: Context) -> str | None:
        """Whose records a call sees; None: those of all. Raises ServiceError."""
        tenant = visible_tenant(context, "records")
        return None if tenant is None else self._place(tenant)

    def name_of(self, place: str) -> str:
        """The tenant's name again."""
        return place or self._root_tenant

    def _place(self, tenant: str) -> str:
        return "" if tenant == self._root_tenant else tenant
