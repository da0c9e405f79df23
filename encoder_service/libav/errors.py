"""Turns FFmpeg's errors into the service's own."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from av.error import FFmpegError

from encoder_service.outputs.writer import OutputError


@contextmanager
def translated(code: str, what: str) -> Iterator[None]:
    """Raises OutputError with `code` for any error of FFmpeg; a full disk is DISK_FULL, to be retried."""
    try:
        yield
    except OutputError:
        raise
    except FFmpegError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise OutputError("DISK_FULL", f"{what}: the disk is full", is_retryable=True) from error
        raise OutputError(code, f"{what}: {_explain(error)}") from error
    except (ValueError, TypeError, RuntimeError, MemoryError, ArithmeticError) as error:
        raise OutputError(code, f"{what}: {error}") from error


def _explain(error: FFmpegError) -> str:
    last = error.log[1] if isinstance(error.log, tuple) and len(error.log) > 1 else None
    said = f" ({last[1]}: {last[2].strip()})" if last else ""
    return f"{error.strerror or type(error).__name__}{said}"
