"""What the site has and in which order; `llms.txt` and a test read the same."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_DOCS: Final = Path(__file__).parents[1]

NAVIGATION: Final[dict[str, tuple[str, ...]]] = {
    "Start": (
        "README.md",
        "start.md",
        "for/gpu-team.md",
        "for/sre.md",
        "for/python.md",
        "for/auditor.md",
        "for/ffmpeg.md",
        "for/opentelemetry.md",
    ),
    "How-to": (
        "save-generation.md",
        "integrations.md",
        "video-settings.md",
        "sound.md",
        "webhooks.md",
        "stages.md",
        "logging.md",
        "operations.md",
        "logs.md",
        "sinks.md",
        "http.md",
        "console.md",
        "retry.md",
        "cli.md",
    ),
    "Concepts": (
        "glossary.md",
        "service-host.md",
        "complaints.md",
        "seeds.md",
        "state/README.md",
        "decisions/README.md",
    ),
    "Reference": (
        "reference/README.md",
        "reference/settings-encoder.md",
        "reference/settings-collector.md",
        "reference/settings-sdk.md",
        "configuration.md",
        "reference/commands.md",
        "errors.md",
        "warnings.md",
        "reference/metrics.md",
        "fields.md",
        "encoder-options.md",
        "authorisation.md",
        "reference/python-telecine.md",
        "reference/python-telecine-logging.md",
        "reference/python-telecine-stages.md",
        "reference/python-telecine-retry.md",
        "reference/python-telecine-exceptions.md",
        "reference/grpc-encoder.md",
        "reference/grpc-logs.md",
        "reference/grpc-errors.md",
    ),
    "Operate": (
        "operate/README.md",
        "operate/capacity.md",
        "operate/one-host.md",
        "operate/containers.md",
        "operate/doors.md",
        "tls.md",
        "security.md",
        "tenants.md",
        "operate/upgrade.md",
        "operate/backup.md",
        "operate/alerts.md",
        "operate/troubleshooting.md",
        "operate/limits.md",
    ),
    "Benchmarks": ("benchmarks.md",),
}
"""By section, pages below docs/. The pages of decisions/ follow their README.md."""

PROJECT: Final = {
    "README.md": "project/readme.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "docker/README.md": "project/images.md",
}
"""Pages outside of docs/ that the site has too, and where."""


def sections() -> dict[str, tuple[str, ...]]:
    """`NAVIGATION`, and with the how-tos every page that stands nowhere yet."""
    placed = {page for pages in NAVIGATION.values() for page in pages}
    there = sorted(path.relative_to(_DOCS).as_posix() for path in _DOCS.rglob("*.md"))
    others = tuple(page for page in there if page not in placed and not page.startswith("decisions/"))
    return {**NAVIGATION, "How-to": (*NAVIGATION["How-to"], *others)}
