"""Where `telecine encode` takes its frames from: one module per kind of source."""

from __future__ import annotations

from telecine.cli.encode.sources.choices import SourceChoices
from telecine.cli.encode.sources.opening import open_source
from telecine.cli.encode.sources.source import Source
from telecine.cli.show.failures import SourceError

__all__ = ["Source", "SourceChoices", "SourceError", "open_source"]
