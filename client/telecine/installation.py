"""How this copy of Telecine was installed, so that advice names a command that works for it."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

_HOSTING = {
    "telecine-services": "service_host", "grpcio-health-checking": "grpc_health",
    "grpcio-reflection": "grpc_reflection", "prometheus-client": "prometheus_client", "PyYAML": "yaml",
    "PyJWT": "jwt", "cryptography": "cryptography",
}  # fmt: skip
PARTS: dict[str, dict[str, str]] = {
    "cli": {"typer": "typer", "rich": "rich"},
    "watch": {"textual": "textual"},
    "console": {"htpy": "htpy", "starlette": "starlette", "uvicorn": "uvicorn"},
    "encoder": {
        **_HOSTING, "telecine-services": "encoder_service", "av": "av", "Pillow": "PIL", "blake3": "blake3",
        "aiohttp": "aiohttp",
    },
    "collector": {
        **_HOSTING, "telecine-services": "log_collector", "google-re2": "re2", "duckdb": "duckdb",
        "opentelemetry-proto": "opentelemetry.proto", "pytz": "pytz", "watchfiles": "watchfiles",
    },
}  # fmt: skip
"""Extra to its distributions, each with a module that proves it. A test compares it with pyproject.toml."""

SERVICES = frozenset({"all", "collector", "encoder", "hosting", "sinks"})
"""Extras that bring the services, which are a distribution of their own."""


def missing_parts(extra: str) -> list[str]:
    """The distributions of an extra that cannot be imported here. Imports none of them."""
    return [name for name, module in PARTS[extra].items() if not is_importable(module)]


def is_importable(module: str) -> bool:
    """Whether a module is installed. Imports the packages above it, not the module itself."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a package above it is missing or broken
        return False


def install_command(extra: str) -> str:
    """A pip command that installs one of the extras beside what is there.

    From a package index, `pip install 'telecine[extra]'`. A checkout, a wheel or a repository is named
    again (PEP 610), as `telecine` may be on no index.
    """
    return command_for(extra, _origin())


def command_for(extra: str, origin: str) -> str:
    """`install_command` for what stands in `direct_url.json`; an empty text: installed from an index."""
    fallback = f"pip install 'telecine[{extra}]'"
    try:
        given = json.loads(origin or "{}")
        url, is_editable = str(given["url"]), bool(given.get("dir_info", {}).get("editable"))
    except (ValueError, KeyError, AttributeError, TypeError):
        return fallback
    both = extra in SERVICES
    if "vcs_info" in given:
        source = f"{given['vcs_info'].get('vcs', 'git')}+{url}"
        services = f" 'telecine-services @ {source}#subdirectory=services'" if both else ""
        return f"pip install 'telecine[{extra}] @ {source}'{services}"
    if urlsplit(url).scheme != "file":
        return fallback
    path = Path(unquote(urlsplit(url).path))
    if "archive_info" in given:
        command = f"pip install --find-links '{path.parent}' 'telecine[{extra}]'"
        return f"{command}{_missing_wheel(path) if both else ''}"
    flag = "-e " if is_editable else ""
    services = f" {flag}'{path}/services'" if both else ""
    return f"pip install {flag}'{path}[{extra}]'{services}"


def _missing_wheel(sdk: Path) -> str:
    """What to do first where the services' wheel does not lie beside the SDK's; else an empty text.

    pip takes only the services of the SDK's own version.
    """
    version = sdk.name.split("-")[1] if sdk.name.count("-") > 1 else "*"
    if any(sdk.parent.glob(f"telecine_services-{version}-*.whl")):
        return ""
    return (
        f" (first put the wheel telecine_services-{version}-py3-none-any.whl, into '{sdk.parent}'; "
        "`pip wheel --no-deps ./services` makes it in a checkout of the same version)"
    )


@cache
def _origin() -> str:
    try:
        return while_it_exists(distribution("telecine").read_text("direct_url.json") or "")
    except PackageNotFoundError:
        return ""


def while_it_exists(origin: str) -> str:
    """The text of `direct_url.json`, or an empty one where it names a place of this machine that is gone.

    So it is in container images, which are built from sources that they do not hold.
    """
    try:
        place = urlsplit(str(json.loads(origin)["url"]))
    except (ValueError, KeyError, TypeError):
        return ""
    return "" if place.scheme == "file" and not Path(unquote(place.path)).exists() else origin
