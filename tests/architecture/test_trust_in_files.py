"""Settings that run programs or lift a wall bear the mark that keeps them out of files merely found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest
from telecine.clients.settings import SdkConfig
from telecine.logging.configuration import LoggingSettings
from telecine.settings.trust import OPERATOR_ONLY

from encoder_service.config import EncoderConfig
from log_collector.config import CollectorConfig

REACHING_OUT = ("command", "wrapper", "sandbox", "worker_environment", "plugin", "allowed_encoder_options")
"""What such settings are called."""


def fields(kind: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Each field below a struct, with its type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield f"{key}.{field.name}", field.type
            yield from fields(field.type, f"{key}.{field.name}")
    else:
        for part in get_args(kind):
            yield from fields(part, key)


@pytest.mark.parametrize("kind", [EncoderConfig, CollectorConfig, SdkConfig, LoggingSettings])
def test_no_found_file_sets_what_runs_programs_or_lifts_a_wall(kind: type[msgspec.Struct]) -> None:
    for key, type_ in fields(kind):
        if any(word in key.rpartition(".")[2] for word in REACHING_OUT):
            is_marked = get_origin(type_) is Annotated and OPERATOR_ONLY in get_args(type_)
            assert is_marked, f"{key} must be Annotated[…, OPERATOR_ONLY]"
