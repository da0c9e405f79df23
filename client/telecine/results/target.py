"""Where a caller wants files: checked before any frame is read, and named when it fails later."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from telecine.exceptions import TargetError
from telecine.exceptions.root import FieldViolation
from telecine.request.fields import refused, shown

_FILE_SUFFIXES = frozenset(
    ".mp4 .mov .mkv .webm .webp .gif .png .apng .avif .jpg .jpeg .zip .json".split()  # noqa: SIM905 - easier to read
)
"""Of names that nobody gives to a directory."""
_ATTEMPTS = 3


def directory_of(to: str | Path | None, field: str = "to") -> Path | None:
    """The directory that a caller named, with "~" expanded; None: the caller wants no files.

    It need not exist, but must be one that can be made and written; that is tried, and leaves nothing behind.
    Raises InvalidRequestError for what is no path, TargetError for one that cannot be used.
    """
    if to is None:
        return None
    directory = expanded(to, field)
    if directory.suffix.lower() in _FILE_SUFFIXES and not means_directory(to, directory):
        raise refused(field, str(to), "a directory, not the name of a file; each artifact is named there")
    for attempt in range(_ATTEMPTS):
        try:
            _try_to_write(directory)
        except FileNotFoundError as error:
            if attempt == _ATTEMPTS - 1:  # until then another process may have removed what it had made
                raise unusable(directory, field, error) from error
        except OSError as error:
            raise unusable(directory, field, error) from error
        else:
            break
    return directory


def means_directory(to: str | Path, path: Path) -> bool:
    """Whether a name means a directory, however it ends: it is one, or says so by a separator at its end."""
    return str(to).endswith(("/", os.sep)) or os.path.isdir(path)  # noqa: PTH112 - takes any name


def expanded(to: str | Path, field: str = "to") -> Path:
    """The path that a caller named. Raises InvalidRequestError for what is none."""
    if not isinstance(to, str | os.PathLike) or not str(to):
        raise refused(field, to, "the path of a directory")
    try:
        path = Path(to).expanduser()
        os.stat(path)  # noqa: PTH116 - Path.exists would hide what is no path at all
    except (ValueError, RuntimeError, TypeError) as error:
        raise refused(field, to, f"the path of a directory ({error})") from error
    except OSError:
        pass
    return path


@contextmanager
def writing(directory: Path, job_id: str) -> Iterator[None]:
    """Turns what the file system says while artifacts are put in place into a TargetError."""
    try:
        yield
    except OSError as error:
        raise TargetError(
            f"the artifacts of job {job_id} cannot be written to {shown(str(directory))}: {_reason(error)}",
            recovery=f'They stay on the server: Client.wait("{job_id}", to=...) fetches them elsewhere; '
            "an embedded server keeps them as long as this process, or its data_dir, lasts.",
        ) from error


def unusable(directory: Path, field: str, error: OSError) -> TargetError:
    """The error for a place that cannot be used."""
    description = f"is {shown(str(directory))}, which cannot be used: {_reason(error)}"
    return TargetError(f"{field} {description}", faults=[FieldViolation(field, description)])


def _reason(error: OSError) -> str:
    where = f" ({shown(str(error.filename))})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _try_to_write(directory: Path) -> None:
    made: list[Path] = []
    try:
        there = directory.absolute()
        missing = [each for each in (there, *there.parents) if not os.path.lexists(each)]
        for each in reversed(missing):
            with suppress(FileExistsError):
                each.mkdir()
                made.append(each)
        with tempfile.TemporaryFile(dir=there):
            pass
    finally:
        for each in reversed(made):
            with suppress(OSError):  # another process has put something there
                each.rmdir()
