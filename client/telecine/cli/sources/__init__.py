"""Where `telecine encode` takes its frames from: one module per kind of source."""

from __future__ import annotations

from telecine.cli.failures import SourceError
from telecine.cli.sources.opening import open_source
from telecine.cli.sources.source import Source

__all__ = ["Source", "SourceError", "open_source"]
