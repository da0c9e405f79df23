"""`telecine encode`: frames from a file, a folder or a pipe become artifacts in a directory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telecine.cli.completion import complete_format, words
from telecine.cli.encode.output_texts import KEYS, SYNTAX, parse_metadata, parse_outputs, parse_size
from telecine.cli.options import JsonOption, ServerOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import UsageError
from telecine.cli.show.terminal import escape
from telecine.request.frame_layout import FrameLayout
from telecine.request.options import OddSizePolicy, Output, PixelFormat, Quality, chosen
from telecine.request.rates import exact_frame_rate
from telecine.results.values import JobState

if TYPE_CHECKING:
    from telecine.cli.encode.sources import Source
    from telecine.clients.plan import JobArguments

SourceArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help='A video file, a folder, glob or list of images, an .npy or .npz, a pipe; "-" is raw frames.',
        show_default=False,
    ),
]
FpsOption = Annotated[
    str | None,
    typer.Option(
        "--fps",
        metavar="RATE",
        help="24, 23.976 or 24000/1001; each picture is one frame. Default: a video file's own times.",
    ),
]
OutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar=SYNTAX,
        help=f"What to make; may be repeated. Keys: {', '.join(KEYS)}.",
        autocompletion=complete_format,
    ),
]
QualityOption = Annotated[
    str | None,
    typer.Option(
        "--quality",
        "-q",
        help="draft, standard, high or lossless, for every output.",
        autocompletion=words(*Quality),
    ),
]
SizeOption = Annotated[
    str | None, typer.Option("--size", metavar="WIDTHxHEIGHT", help="Of raw frames from a pipe.")
]
PixFmtOption = Annotated[
    str | None,
    typer.Option(
        "--pix-fmt",
        help="Of raw frames: " + ", ".join(PixelFormat) + ".",
        autocompletion=words(*PixelFormat),
    ),
]
MetaOption = Annotated[
    list[str] | None,
    typer.Option("--meta", metavar="KEY=VALUE", help="Your own data for the manifest; may be repeated."),
]
JobIdOption = Annotated[
    str, typer.Option("--job-id", help="Repeat a command with the same id to resume it. Default: a new one.")
]
OddSizeOption = Annotated[
    str,
    typer.Option(
        "--odd-size",
        help="pad, crop or error, where a codec needs even sizes.",
        autocompletion=words(*OddSizePolicy),
    ),
]
PriorityOption = Annotated[int, typer.Option("--priority", min=-100, max=100, help="Higher goes first.")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="Fail the job if it takes longer.")
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Every fallback is an error.")]
SkipOption = Annotated[
    bool,
    typer.Option("--skip-unavailable", help="Leave out, with a warning, what the server cannot make."),
]
DamagedOption = Annotated[
    bool,
    typer.Option(
        "--allow-damaged", help="Encode what can be read of a cut or damaged video file, with a warning."
    ),
]
AutorotateOption = Annotated[
    bool,
    typer.Option(
        "--autorotate/--no-autorotate",
        help="Turn and mirror a video file's pictures upright, as its display matrix says.",
    ),
]
SquarePixelsOption = Annotated[
    bool,
    typer.Option(
        "--square-pixels/--no-square-pixels",
        help="Scale a video file's pictures by its sample aspect ratio.",
    ),
]
DeinterlaceOption = Annotated[
    bool,
    typer.Option("--deinterlace", help="Make whole pictures of a video file's interlaced ones (bwdif)."),
]
AudioOption = Annotated[
    Path | None,
    typer.Option(
        "--audio",
        metavar="FILE",
        help="Sound for the clip, from its first picture on; instead of a video file's own.",
        show_default=False,
    ),
]
NoAudioOption = Annotated[bool, typer.Option("--no-audio", help="Leave the sound of a video file out.")]
OutDirOption = Annotated[
    Path | None,
    typer.Option(
        "--out-dir", "-d", metavar="DIR", help="Default: telecine-output/<job id>.", show_default=False
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        "-t",
        metavar="PATH",
        help="clip.mp4: that file, of the only output, with its manifest beside it; else a directory.",
        show_default=False,
    ),
]


def encode(
    source: SourceArgument,
    *,
    fps: FpsOption = None,
    outputs: OutputsOption = None,
    to: ToOption = None,
    out_dir: OutDirOption = None,
    quality: QualityOption = None,
    server: ServerOption = None,
    size: SizeOption = None,
    pix_fmt: PixFmtOption = None,
    meta: MetaOption = None,
    job_id: JobIdOption = "",
    odd_size: OddSizeOption = "pad",
    priority: PriorityOption = 0,
    timeout: TimeoutOption = None,
    strict: StrictOption = False,
    skip_unavailable: SkipOption = False,
    allow_damaged: DamagedOption = False,
    autorotate: AutorotateOption = True,
    square_pixels: SquarePixelsOption = True,
    deinterlace: DeinterlaceOption = False,
    audio: AudioOption = None,
    no_audio: NoAudioOption = False,
    as_json: JsonOption = False,
) -> None:
    """Encode a clip to one or several formats at once; check every artifact; write the manifest.

    Examples: [bold]telecine encode clip.mov -o mp4 -o webm -o webp[/]
    and [bold]telecine encode 'frames/*.png' --fps 24 -o mp4:crf=16,preset=slow -o poster[/]
    """
    # Late: numpy and gRPC take longer to load than --help or a wrong flag should take.
    from telecine.cli.encode.sources import SourceChoices, open_source

    wanted = _wanted(outputs, quality, to, out_dir)
    own_rate = None if fps is None else exact_frame_rate(fps)
    shape = (autorotate, square_pixels, deinterlace)
    choices = SourceChoices(own_rate, allow_damaged, *shape, *_sound_choice(audio, no_audio))
    opened = open_source(source, _raw_layout(size, pix_fmt), choices)
    arguments: JobArguments = {
        "job_id": job_id,
        "odd_size": chosen(OddSizePolicy, odd_size, "--odd-size"),
        "metadata": parse_metadata(meta or []),
        "priority": priority,
        "deadline_seconds": timeout,
        "expected_frames": opened.frame_count,
        "strict": strict,
        "skip_unavailable": skip_unavailable,
    }
    _encode_and_show(server, opened, own_rate, wanted, arguments, to or out_dir, as_json=as_json)


def _encode_and_show(
    server: str | None,
    source: Source,
    own_rate: Fraction | None,
    outputs: tuple[Output, ...],
    arguments: JobArguments,
    to: str | Path | None,
    *,
    as_json: bool,
) -> None:
    from telecine.cli.encode.run import encode_source, render_result

    rate = own_rate or _stated_rate(source)
    if not as_json:
        _announce(source, rate, outputs)
    document = encode_source(server, source, rate, outputs, arguments, to, is_silent=as_json)
    terminal.show(document, lambda console: render_result(console, document), as_json=as_json)
    raise typer.Exit(int(ExitCode.OK if document.state == JobState.SUCCEEDED else ExitCode.FINDINGS))


def _wanted(
    texts: list[str] | None, quality: str | None, to: str | None, out_dir: Path | None
) -> tuple[Output, ...]:
    """The outputs; a single file's name may say the format. Raises UsageError, InvalidRequestError."""
    from telecine.results.destination import destination_of, outputs_for

    if to is not None and out_dir is not None:
        raise UsageError("--to and --out-dir contradict each other", "leave one of them out")
    destination = destination_of(to, "--to")
    if not texts:
        texts = [output.format for output in outputs_for(destination, None, "--to")]
    return outputs_for(destination, parse_outputs(texts, {"quality": quality} if quality else {}), "--to")


def _sound_choice(audio: Path | None, is_left_out: bool) -> tuple[bool, Path | None]:
    if audio is not None and is_left_out:
        raise UsageError("--audio and --no-audio contradict each other", "leave one of them out")
    return not is_left_out, audio


def _raw_layout(size: str | None, pix_fmt: str | None) -> FrameLayout | None:
    if size is None and pix_fmt is None:
        return None
    if size is None or pix_fmt is None:
        raise UsageError(
            "raw frames need both --size and --pix-fmt", "such as --size 1280x720 --pix-fmt rgb24"
        )
    return FrameLayout(*parse_size(size), chosen(PixelFormat, pix_fmt, "--pix-fmt"))


def _stated_rate(source: Source) -> Fraction:
    if source.frame_rate is None:
        raise UsageError(f"{source.description} states no frame rate", "add --fps, such as --fps 24")
    return source.frame_rate


def _announce(source: Source, rate: Fraction, outputs: tuple[Output, ...]) -> None:
    names = ", ".join(output.name or output.format for output in outputs)
    sound = f", {source.sound.describe()}" if source.sound is not None else ""
    count = f"{source.frame_count} frames, " if source.frame_count else ""
    terminal.notices().print(
        f"{escape(source.description)}: {count}{source.width}x{source.height}, "
        f"{terminal.frame_rate_text(rate)} fps{escape(sound)} → {escape(names)}"
    )
