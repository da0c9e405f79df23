"""How many previews are made, and how many are kept in memory."""

from __future__ import annotations

from typing import Annotated

import msgspec

from service_host.settings.host_config import Positive

Count = Annotated[int, msgspec.Meta(ge=1)]


class PreviewsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Of `GetPreview`. A picture that was made already costs nothing of these rates."""

    job_per_second: Positive = 4.0
    """Pictures made of one job; more are refused with QUOTA_EXCEEDED."""
    principal_per_second: Positive = 10.0
    """Pictures made for one principal, or for one tenant where callers have no names."""
    at_once: Count = 1
    """Workers that make previews at the same time, beside those of `workers`."""
    waiting: Count = 32
    """Pictures that may wait for such a worker; more are refused with QUOTA_EXCEEDED."""
    cache_bytes: Annotated[int, msgspec.Meta(ge=0)] = 16 << 20
    """Of pictures that are kept, all jobs together. 0: none are."""
