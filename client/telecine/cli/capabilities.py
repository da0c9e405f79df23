"""`telecine capabilities`: what a server can make, and why the rest does not work."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from telecine.cli.connection import configured_server, connect_for_capabilities
from telecine.cli.options import JsonOption, ServerOption
from telecine.cli.show import documents as doc
from telecine.cli.show import terminal
from telecine.cli.show.terminal import escape
from telecine.exceptions import InvalidRequestError, NotSupportedError
from telecine.results.values import (
    Capabilities,
    EncoderCapability,
    EncoderOptions,
    FormatCapability,
    Limits,
)

_SHOWN_PIXEL_FORMATS = 6
"""For people; `--json` has them all."""
_LIMIT_NAMES = (
    "max_chunk_bytes",
    "max_frame_bytes",
    "max_job_bytes",
    "spool_quota_bytes",
    "max_waiting_jobs",
    "max_job_duration",
    "idle_upload_timeout",
    "max_clip_duration",
    "max_overlays_per_output",
    "max_overlay_image_bytes",
    "max_metadata_bytes",
)


OptionsOf = Annotated[
    str,
    typer.Option(
        "--options", metavar="ENCODER", help="Show what may be set on one encoder, such as libx264."
    ),
]


def capabilities(
    *, server: ServerOption = None, options: OptionsOf = "", as_json: JsonOption = False
) -> None:
    """Show what a server can make: each encoder was opened and its output decoded when it started."""
    with connect_for_capabilities(server) as client:
        found = client.capabilities()
    if options:
        check_encoder(options, found)
    document = capabilities_document(found, server or configured_server() or "embedded")

    def render(console: Console) -> None:
        if options:
            _render_options(console, options, found.encoder_options[options])
        else:
            _render(console, document)

    terminal.show(document, render, as_json=as_json)


def check_encoder(encoder: str, found: Capabilities) -> None:
    """Raises NotSupportedError for a server that reports no options, InvalidRequestError for a wrong name."""
    if not found.encoder_options:
        raise NotSupportedError(
            f"--options: a server of version {found.server_version} does not report its encoders' options",
            recovery="Leave --options out, or use a server of version 0.2.0 or later.",
        )
    if encoder not in found.encoder_options:
        known = ", ".join(found.encoder_options)
        raise InvalidRequestError(f"--options: no encoder {encoder!r}; expected one of {known}")


def _render_options(console: Console, encoder: str, found: EncoderOptions) -> None:
    table = terminal.table("option", "takes", whole=("option",))
    if found.presets:
        table.add_row("[bold]preset of the output[/]", escape(found.presets))
    for name, values in found.options.items():
        table.add_row(escape(name), escape(values or "anything: the operator allows it"))
    console.print(f"what may be set on [bold]{escape(encoder)}[/]")
    console.print(table)


def capabilities_document(found: Capabilities, server: str) -> doc.CapabilitiesDocument:
    """Capabilities as a document."""
    return doc.CapabilitiesDocument(
        server=server,
        server_version=found.server_version,
        workers=found.workers,
        formats=[_format(item) for item in found.formats],
        pixel_formats=list(found.pixel_formats),
        limits=_limits(found.limits),
        library_versions=dict(found.library_versions),
        fonts=list(found.fonts),
        encoder_options={name: dict(entry.options) for name, entry in found.encoder_options.items()},
        sandbox=found.sandbox,
    )


def _format(item: FormatCapability) -> doc.FormatDocument:
    return doc.FormatDocument(
        format=item.format,
        media_type=item.media_type,
        file_extension=item.file_extension,
        default_codec=item.default_codec,
        can_carry_alpha=item.can_carry_alpha,
        is_available=item.is_available,
        encoders=list(item.encoders),
    )


def _limits(limits: Limits) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in _LIMIT_NAMES:
        value = getattr(limits, name)
        is_time = isinstance(value, timedelta)
        found[f"{name}_seconds" if is_time else name] = value.total_seconds() if is_time else value
    return found


def _render(console: Console, document: doc.CapabilitiesDocument) -> None:
    console.print(
        f"[bold]{escape(document.server)}[/]: Telecine {document.server_version}, {document.workers} workers"
    )
    table = terminal.table("", "format", "codec", "encoder", "alpha", "takes / why not", whole=("encoder",))
    for item in document.formats:
        for position, encoder in enumerate(item.encoders):
            is_first = position == 0
            alpha = "yes" if item.can_carry_alpha else ""
            table.add_row(
                terminal.mark("ok", "✓") if encoder.is_available else terminal.mark("problem", "✗"),
                f"[bold]{item.format}[/]" if is_first else "",
                f"{encoder.codec} *" if encoder.codec == item.default_codec else encoder.codec,
                encoder.encoder,
                alpha if is_first else "",
                escape(_remark(encoder)),
            )
    console.print(table)
    console.print("[dim]* what the format uses when no codec is named[/]")
    console.print(f"frames are taken as {', '.join(document.pixel_formats)}")
    console.print(f"fonts of text overlays: {escape(', '.join(document.fonts))}")
    console.print("limits: " + ", ".join(_limit_text(*limit) for limit in document.limits.items()))
    versions = ", ".join(f"{name} {version}" for name, version in document.library_versions.items())
    console.print(f"built with {escape(versions)}")


def _remark(encoder: EncoderCapability) -> str:
    if not encoder.is_available:
        return encoder.reason.removeprefix(f"{encoder.encoder}: ")
    shown = encoder.pixel_formats[:_SHOWN_PIXEL_FORMATS]
    hidden = len(encoder.pixel_formats) - len(shown)
    return ", ".join(shown) + (f" and {hidden} more" if hidden else "")


def _limit_text(name: str, value: float) -> str:
    words = name.removeprefix("max_").removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")
    if not value:
        return f"{words}: none"
    if name.endswith("_bytes"):
        return f"{words}: {terminal.size_text(int(value))}"
    if name.endswith("_seconds"):
        return f"{words}: {terminal.seconds_text(value)}"
    return f"{words}: {value:g}"
