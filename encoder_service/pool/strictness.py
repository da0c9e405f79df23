"""Finds the outputs that cannot be made here, before their frames are sent in vain."""

from __future__ import annotations

import msgspec

from encoder_service import errors
from encoder_service.errors import ServiceError
from encoder_service.spec.spec import JobSpec, OutputSpec, SkippedOutput
from encoder_service.worker_protocol import Probed


def refusal(spec: JobSpec, probed: Probed) -> ServiceError | None:
    """Why the job must not be taken; None when every strict output has an encoder. Pure."""
    for output in spec.outputs:
        if output.strict and (found := _missing(output, probed)) is not None:
            encoder, reason = found
            return errors.encoder_unavailable(output.name, encoder, reason)
    return None


def without_unavailable(spec: JobSpec, probed: Probed) -> JobSpec:
    """The job without the outputs that have no encoder, strict ones excepted. Pure.

    Raises ServiceError ENCODER_UNAVAILABLE when none is left.
    """
    left, skipped = [], list(spec.skipped)
    for output in spec.outputs:
        found = None if output.strict else _missing(output, probed)
        if found is None:
            left.append(output)
        else:
            skipped.append(SkippedOutput(output, ": ".join(part for part in found if part)))
    if not left:
        raise errors.nothing_available([f"{entry.output.name}: {entry.reason}" for entry in skipped])
    return msgspec.structs.replace(spec, outputs=tuple(left), skipped=tuple(skipped))


def _missing(output: OutputSpec, probed: Probed) -> tuple[str, str] | None:
    row = next((row for row in probed.formats if row.format == output.format), None)
    if row is None:
        return "", f"format {output.format!r} was not probed"
    codec = output.codec or row.default_codec
    encoders = [probe for probe in row.encoders if probe.codec == codec]
    if any(probe.is_available for probe in encoders):
        return None
    if not encoders:
        return "", f"format {output.format!r} has no encoder for {codec!r}"
    return encoders[0].encoder, encoders[0].reason or "no encoder works"
