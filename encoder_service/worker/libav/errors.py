"""Turns FFmpeg's errors into the service's own."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from av.error import FFmpegError

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError

_NO_MEMORY = re.compile(r"out of memory|memory alloc|allocate memory|malloc", re.IGNORECASE)


@contextmanager
def translated(code: FailureCode, what: str) -> Iterator[None]:
    """Raises OutputError with `code` for any error of FFmpeg; a full disk is DISK_FULL, to be retried.

    No memory is OUT_OF_MEMORY: another try would need as much.
    """
    try:
        yield
    except OutputError:
        raise
    except FFmpegError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise OutputError(
                FailureCode.DISK_FULL, f"{what}: the disk is full", is_retryable=True
            ) from error
        if error.errno == errno.ENOMEM or _NO_MEMORY.search(_explain(error)):
            # libvpx and others say so in words alone.
            raise OutputError(FailureCode.OUT_OF_MEMORY, f"{what}: the worker has no memory left") from error
        raise OutputError(code, f"{what}: {_explain(error)}") from error
    except MemoryError as error:
        raise OutputError(FailureCode.OUT_OF_MEMORY, f"{what}: the worker has no memory left") from error
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        raise OutputError(code, f"{what}: {error}") from error


def _explain(error: FFmpegError) -> str:
    # PyAV hands over the last line that FFmpeg logged: (level, component, text).
    log: object = error.log
    said = f" ({log[1]}: {str(log[2]).strip()})" if isinstance(log, tuple) and len(log) == 3 else ""
    return f"{error.strerror or type(error).__name__}{said}"
