"""What each tenant and each principal may have of the collector; all of it is unlimited unless it is set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from service_host.quotas.holders import faults_of, is_any_set, quota_of


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Of one tenant, or of one principal. 0: no limit but those of the whole collector."""

    records_per_second: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Of all streams and exports together. A stream that is faster is read more slowly; an export waits up to
    a second, and is refused with QUOTA_EXCEEDED where it would have to wait longer."""


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """Who may have how much. A principal is held to its own and to its tenant's."""

    each_tenant: Quota = Quota()
    """Of every tenant that is not named in `tenants`."""
    each_principal: Quota = Quota()
    """Of every principal of every tenant."""
    tenants: dict[str, Quota] = {}
    """Tenant to its own, which holds instead of `each_tenant` as a whole."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """What the fields' types cannot say."""
        return faults_of(self)

    def of(self, holder: str) -> Quota:
        """What a tenant or a principal may have."""
        return quota_of(self, holder)

    def is_paced(self) -> bool:
        """Whether a rate is set for anybody."""
        return is_any_set(self, "records_per_second")
