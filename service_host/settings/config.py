"""Typed configuration, as services load it; the machinery is the SDK's, so that all settings read alike."""

from __future__ import annotations

from telecine.settings.loading import ConfigError, Loaded, load_config
from telecine.settings.sources import ConfigFault

__all__ = ["ConfigError", "ConfigFault", "Loaded", "load_config"]
