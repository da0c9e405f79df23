"""Encodes a tiny clip with each value of an encoder's rules; a program, so that a crash shows where.

Prints one JSON line before each encode, and one with its outcome after it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from encoder_service.options.rules import Keys
from encoder_service.options.table import RULES
from encoder_service.spec.errors import OutputError
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker.process.capabilities import MemorySource
from encoder_service.worker.writer import WriterContext, load_writer

WIDTH, HEIGHT, FRAMES = 96, 80, 8


class Case(msgspec.Struct, frozen=True):
    """One thing that is set."""

    name: str
    options: dict[str, str] = {}
    preset: str = ""
    pixel_format: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What became of it; without a code it was encoded and read back."""

    case: str
    value: str
    code: str = ""
    message: str = ""
    is_begun_only: bool = False


def cases(encoder: str) -> Iterator[tuple[Case, str]]:
    """Everything that may be set, with each of its example values."""
    rules = RULES[encoder]
    for name, rule in rules.options.items():
        if isinstance(rule, Keys):
            for key, entry in rule.rules.items():
                for value in entry.examples():
                    yield Case(f"{name}.{key}", {name: f"{key}={value}"}), value
        else:
            for value in rule.examples():
                yield Case(name, {name: value}), value
    for value in rules.presets.examples() if rules.presets is not None else ():
        yield Case("preset of the output", preset=value), value
    for name in rules.pixel_formats:
        yield Case(f"pixel_format {name}", pixel_format=name), name


def encode(encoder: str, case: Case, frames: list[bytes]) -> None:
    """Writes and reads back. Raises OutputError."""
    row, entry = next(
        (row, entry) for row in FORMATS.values() for entry in row.encoders if entry.encoder == encoder
    )
    row = msgspec.structs.replace(row, encoders=(entry,))
    with tempfile.TemporaryDirectory() as directory:
        pixel_format = case.pixel_format or ("rgb24" if entry.is_rgb_only else "")
        context = WriterContext(
            video=VideoSpec(WIDTH, HEIGHT, PixelFormat.RGB24, Rational(24)),
            output=OutputSpec(
                "walked",
                row.name,
                codec=entry.codec,
                options=case.options,
                preset=case.preset,
                pixel_format=pixel_format,
            ),
            directory=Path(directory),
            threads=2,
            source=MemorySource(frames),
            warn=lambda _code, _message: None,
            log=lambda _line: None,
        )
        writer = load_writer(row)(context, row)
        try:
            for index in range(len(frames)):
                writer.write(context.source.frame(index))
            writer.finish()
        finally:
            writer.close()


def drawn() -> list[bytes]:
    """A gradient that moves."""
    ramp = np.add.outer(np.arange(HEIGHT) * 2, np.arange(WIDTH))[..., None] + np.array([0, 20, 40])
    return [((ramp + 3 * index) % 256).astype(np.uint8).tobytes() for index in range(FRAMES)]


def say(outcome: Outcome) -> None:
    """One line."""
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    sys.stdout.flush()


def main(encoder: str) -> None:
    """Walks one encoder."""
    frames = drawn()
    for case, value in cases(encoder):
        say(Outcome(case.name, value, is_begun_only=True))
        try:
            encode(encoder, case, frames)
        except OutputError as error:
            say(Outcome(case.name, value, error.code, str(error)))
        else:
            say(Outcome(case.name, value))


if __name__ == "__main__":
    main(sys.argv[1])
