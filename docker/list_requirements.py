"""Writes what an image's packages need of others: `python docker/list_requirements.py EXTRA`.

A layer of its own holds that, and is kept while the sources change. It is no more than a head start: what is
installed is decided when the packages themselves are.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

SDK = Path("pyproject.toml")
SERVICES = Path("services/pyproject.toml")


def requirements(*wanted: str) -> list[str]:
    """Returns those of the SDK, its command line, the services and some extras of theirs."""
    sdk = tomllib.loads(SDK.read_text())["project"]
    services = tomllib.loads(SERVICES.read_text())["project"]
    extras = services["optional-dependencies"]
    found = [
        *sdk["dependencies"],
        *sdk["optional-dependencies"]["cli"],
        *services["dependencies"],
        *(line for extra in wanted for line in extras[extra]),
    ]
    ours = [re.fullmatch(r"telecine-services\[(\w+)\]", line) for line in found]
    found += [line for match in ours if match for line in extras[match[1]]]
    return sorted({line for line in found if not line.startswith("telecine")})


if __name__ == "__main__":
    sys.stdout.write("\n".join([*requirements(*sys.argv[1:]), ""]))
