"""Finds the services' packages: beside this folder in a checkout, inside it in an unpacked sdist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("encoder_service", "log_collector", "service_host")


class PackagesHook(BuildHookInterface[Any]):
    """Adds the packages to the wheel and to the sdist; an editable install takes them from the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds."""
        if version == "editable":
            return
        here = Path(self.root)
        home = here if (here / PACKAGES[0]).is_dir() else here.parent
        build_data["force_include"].update({str(home / package): package for package in PACKAGES})
