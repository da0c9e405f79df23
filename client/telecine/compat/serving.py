"""What plug-ins of serving frameworks share: off without an address, remote alone, one line at the start."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from telecine.clients.settings import load_sdk_config
from telecine.compat.fallback import OURS, takes_the_same, with_fallback
from telecine.exceptions import InvalidFramesError
from telecine.sound.audio import Audio

STRICT = "TELECINE_COMPAT_STRICT"
"""The environment variable that forbids to fall back: any value but "", "0" and "false"."""
ORIGINALS: dict[tuple[str, str], Callable[..., Any]] = {}
"""What was wrapped, by module and name."""
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def address() -> str | None:
    """The server that is configured (TELECINE_SERVER); None: none, and the plug-in stays off."""
    return load_sdk_config().value.server or None


def is_strict() -> bool:
    """Whether a failed encode is an error instead of a call of the original."""
    return os.environ.get(STRICT, "").lower() not in {"", "0", "false"}


def activate(tool: str, module: str, wrapped: dict[str, Callable[..., Any]]) -> bool:
    """Puts our functions into a module of the tool, and says in one line on standard error what was done.

    Never raises: what a serving process loads at its start must not end it. Idempotent.
    """
    try:
        server = address()
        if not server:
            return _say(tool, "off: no server is named (TELECINE_SERVER)", is_active=False)
        home = import_module(module)
        for name, ours in wrapped.items():
            original = getattr(home, name)
            if getattr(original, OURS, False):
                continue
            if not takes_the_same(ours, original):
                why = f"off: {module}.{name} has other parameters than those this was written for"
                return _say(tool, why, is_active=False)
            ORIGINALS[module, name] = original
            stand_in = with_fallback(ours, original, lambda: not is_strict())
            setattr(home, name, stand_in)
    except Exception as error:  # noqa: BLE001 - see above
        return _say(tool, f"off: {type(error).__name__}: {error}", is_active=False)
    return _say(tool, f"active: {', '.join(wrapped)} encode on {server}", is_active=True)


def audio_of(samples: Any, sample_rate: int) -> Audio:
    """The sound that a framework hands on, whose channels are the shorter axis.

    Raises InvalidFramesError for counts of channels that no layout has.
    """
    values = samples.detach().cpu().numpy() if hasattr(samples, "detach") else np.asarray(samples)
    while values.ndim > 1 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    if values.ndim == 2 and values.shape[0] < values.shape[1]:
        values = values.T
    if values.ndim != 2 or values.shape[1] not in _LAYOUTS:
        raise InvalidFramesError(f"sound of shape {tuple(values.shape)} has no layout that is known")
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
    return Audio(np.ascontiguousarray(values), sample_rate, _LAYOUTS[values.shape[1]], axes="NC")


def _say(tool: str, what: str, *, is_active: bool) -> bool:
    sys.stderr.write(f"telecine for {tool}: {what}\n")
    return is_active
