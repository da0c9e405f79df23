"""What a shell offers when Tab is pressed: formats, ids of jobs, and other words that a command takes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator

import typer

from telecine.cli.connection import DEFAULT_COLLECTOR, collector_of, configured_server
from telecine.cli.options import DEFAULT_SERVER
from telecine.logging.catalogue import ID_FIELDS, Level
from telecine.results.values import JobState
from telecine.settings.config_file import SECTIONS

FORMATS = (
    "apng", "avif", "contact_sheet", "flac", "gif", "m4a", "mkv", "mov", "mp4", "opus", "png", "poster",
    "wav", "webm", "webp",
)  # fmt: skip
"""What `-o` names; a test compares it with the encoder's table."""
_ANSWER_SECONDS = 0.8
"""A shell waits for this: a server that does not answer sooner has no jobs to offer."""
_MOST_JOBS = 100

Completion = Callable[[str], list[str]]


def words(*known: str) -> Completion:
    """Completes to one of the words."""

    def complete(incomplete: str) -> list[str]:
        return _beginning_so(known, incomplete)

    return complete


complete_format = words(*FORMATS)
complete_state = words(*JobState)
complete_level = words(*(level.name for level in Level))
complete_id_field = words(*(f"{name}=" for name in ID_FIELDS))
complete_section = words(*SECTIONS)


def complete_job(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the server's jobs, newest first; nothing where it does not answer at once."""
    from itertools import islice

    from telecine.clients.blocking import Client

    with _in_silence():
        server = context.params.get("server") or configured_server() or DEFAULT_SERVER
        with Client(server, call_timeout_seconds=_ANSWER_SECONDS) as client:
            return [job.job_id for job in islice(client.jobs(prefix=incomplete), _MOST_JOBS)]
    return []


def complete_logged_job(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of jobs in the collector's newest records."""
    import msgspec

    from telecine.cli.connection import open_collector
    from telecine.clients.logs import LogFilter

    with _in_silence():
        server = collector_of(context.params.get("server")) or DEFAULT_COLLECTOR
        with open_collector(server, _ANSWER_SECONDS) as client:
            records = client.query(LogFilter(), limit=1000)
            found = (str(msgspec.json.decode(line).get("job_id") or "") for line in records)
            return _beginning_so(dict.fromkeys(filter(None, found)), incomplete)
    return []


@contextlib.contextmanager
def _in_silence() -> Iterator[None]:
    """Whatever goes wrong, a shell is offered nothing: no message may stand in a command line."""
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        yield


def _beginning_so(known: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in known if word.startswith(incomplete)]
