"""What to say when an optional part of Telecine is not installed."""

from __future__ import annotations

from telecine.cli.show.failures import UnavailableHereError

_OURS = {"telecine", "encoder_service", "log_collector", "service_host"}


def missing_extra(extra: str, error: ModuleNotFoundError) -> UnavailableHereError:
    """The error for a command whose optional part is not installed.

    A module of ours that is missing is a fault of ours, and raised as it is.
    """
    if error.name is not None and error.name.split(".")[0] in {
        "telecine",
        "encoder_service",
        "log_collector",
    }:
        raise error
    return UnavailableHereError(
        f"this needs an optional part that is not installed: {error.name}",
        f"install it: pip install 'telecine[{extra}]'",
    )
