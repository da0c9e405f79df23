"""`telecine.encode`: frames in, files out, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from telecine.client import Client
from telecine.job_plan import JobArguments
from telecine.options import OutputLike
from telecine.rates import FrameRate
from telecine.results import EncodeResult
from telecine.spec import new_job_id

OUTPUT_DIRECTORY = "telecine-output"


def encode(
    frames: object,
    *,
    fps: FrameRate,
    outputs: OutputLike | Sequence[OutputLike] = ("mp4",),
    to: str | Path | None = None,
    server: str | None = None,
    allow_partial: bool = False,
    **arguments: Unpack[JobArguments],
) -> EncodeResult:
    """Encodes frames and puts the artifacts with their manifest into the directory `to`.

    `to`: None is `telecine-output/<job_id>`. `server`: None is what TELECINE_SERVER names, else an
    embedded server. Everything else is as in `Client.encode`; keep a `Client` to encode many clips.
    """
    arguments["job_id"] = arguments.get("job_id") or new_job_id()
    directory = Path(OUTPUT_DIRECTORY, arguments["job_id"]) if to is None else Path(to)
    with Client(server) as client:
        return client.encode(
            frames, fps=fps, outputs=outputs, to=directory, allow_partial=allow_partial, **arguments
        )
