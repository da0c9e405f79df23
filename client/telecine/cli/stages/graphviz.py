"""Draws a graph's DOT text as a picture with Graphviz' `dot`, a program that pip does not install."""

from __future__ import annotations

import shutil
import subprocess

from telecine.cli.show.failures import UnavailableHereError

_LIMIT_SECONDS = 60
_INSTEAD = "write .mmd or .dot, which need no program"
_MAX_MESSAGE_CHARS = 500


def draw(dot_text: str, form: str) -> bytes:
    """Returns the picture as `dot -T<form>` writes it; `form` is "svg" or "png".

    Raises UnavailableHereError where Graphviz is missing, refuses the graph or needs more than a minute.
    """
    program = shutil.which("dot")
    if program is None:
        raise UnavailableHereError(
            f"a graph as {form.upper()} is drawn by Graphviz, whose program `dot` is not installed",
            f"install it (apt install graphviz, brew install graphviz), or {_INSTEAD}",
        )
    try:
        drawn = subprocess.run(
            [program, f"-T{form}"],
            input=dot_text.encode(),
            capture_output=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableHereError(
            f"Graphviz did not finish the graph within {_LIMIT_SECONDS} seconds", _INSTEAD
        ) from error
    except OSError as error:
        raise UnavailableHereError(f"{program} cannot be started: {error.strerror}", _INSTEAD) from error
    if drawn.returncode or not drawn.stdout:
        said = drawn.stderr.decode(errors="replace").strip()[-_MAX_MESSAGE_CHARS:]
        raise UnavailableHereError(f"{program} ended with code {drawn.returncode}: {said}", _INSTEAD)
    return drawn.stdout
