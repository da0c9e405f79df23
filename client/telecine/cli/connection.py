"""Opens the client of a command: patient once a job is under way, quick to say that nobody answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from telecine.cli.options import DEFAULT_SERVER
from telecine.cli.tls_options import chosen_tls
from telecine.cli.token_options import chosen_token_file
from telecine.exceptions import InvalidRequestError
from telecine.request.options import RetryPolicy
from telecine.settings.address import COLLECTOR_PORT, SECURE
from telecine.settings.loading import ConfigError

if TYPE_CHECKING:
    from telecine.clients.blocking import Client
    from telecine.clients.logs import LogClient
    from telecine.clients.settings import SdkConfig
    from telecine.tls.options import Tls

DEFAULT_COLLECTOR = f"127.0.0.1:{COLLECTOR_PORT}"
_COLLECTOR_VARIABLES = ("TELECINE_COLLECTOR", "TELECINE_LOG_COLLECTOR")
"""What names the collector: the second one, for all programs; the older first, for `telecine logs`."""
_FIRST_ANSWER_SECONDS = 5.0
"""Within this time a server that runs answers; it may be starting just now."""
_PROBE_SECONDS = 120.0
"""Capabilities are proved by encoding, which a busy server does when it comes to it."""


@contextmanager
def connect(server: str | None, *, call_timeout_seconds: float = 30.0) -> Iterator[Client]:
    """Yields a client whose server has answered once.

    None: the one that the configuration names, else an embedded server. Raises UnavailableError at once
    when nobody listens there, and EmbeddedUnavailableError when it cannot be started here.
    """
    from telecine.clients.blocking import Client  # late: numpy and gRPC take a while to load

    server = server or configured_server()
    if server is not None:
        _expect_answer(server)
    with Client(
        server,
        tls=chosen_tls(),
        token_file=chosen_token_file(),
        call_timeout_seconds=call_timeout_seconds,
    ) as client:
        yield client


@contextmanager
def connect_to_running(server: str | None) -> Iterator[Client]:
    """Does as `connect`, but where no server is named, asks the one on this machine and embeds none."""
    with connect(server or configured_server() or DEFAULT_SERVER) as client:
        yield client


def configured_server() -> str | None:
    """The server that a file or a variable names. Raises InvalidRequestError."""
    return _configured().server or None


def collector_of(server: str | None) -> str:
    """The collector that an option names, else `named_collector`, else the one on this machine.

    Programs ship their records to the same one. Raises LogConfigError.
    """
    return server or named_collector() or DEFAULT_COLLECTOR


def named_collector() -> str | None:
    """The collector that a variable or a file names. Raises LogConfigError."""
    from telecine.logging.configuration import logging_from_file

    variable = next((os.environ[name] for name in _COLLECTOR_VARIABLES if os.environ.get(name)), None)
    return variable or logging_from_file(os.environ).get("collector")


def is_kept() -> bool:
    """Whether jobs outlive the command where no server is named: the embedded one has a lasting directory."""
    configured = _configured()
    return bool(configured.server or configured.data_dir)


def _configured() -> SdkConfig:
    from telecine.clients.settings import load_sdk_config

    return load_sdk_config().value


@contextmanager
def connect_for_capabilities(server: str | None) -> Iterator[Client]:
    """Yields a client like `connect`, with a timeout that leaves room to prove every encoder."""
    with connect(server, call_timeout_seconds=_PROBE_SECONDS) as client:
        yield client


def _expect_answer(server: str) -> None:
    from telecine.clients.blocking import Client

    retry = RetryPolicy(give_up_after_seconds=_FIRST_ANSWER_SECONDS)
    with Client(
        server,
        tls=chosen_tls(),
        token_file=chosen_token_file(),
        retry=retry,
        call_timeout_seconds=_FIRST_ANSWER_SECONDS,
    ) as client:
        next(client.jobs(page_size=1), None)


def open_collector(server: str, call_timeout_seconds: float = 30.0) -> LogClient:
    """A client of the collector."""
    from telecine.clients.logs import LogClient

    return LogClient(
        server,
        tls=collector_tls(server),
        token_file=chosen_token_file(),
        call_timeout_seconds=call_timeout_seconds,
    )


def server_tls(server: str) -> Tls | None:
    """How an encoder is spoken to. Raises InvalidRequestError."""
    from telecine.clients.settings import tls_of

    return tls_of(server, chosen_tls(), _configured())


def collector_tls(server: str) -> Tls | None:
    """How the collector is spoken to: as options say, else section `logging.tls`, else what is for all.

    A tls:// address for which none of them says anything is spoken to with the files of sdk.tls, as before
    there were others. Raises LogConfigError, InvalidRequestError.
    """
    from telecine.logging.configuration import logging_from_file
    from telecine.tls.settings import common_tls, tls_for

    own = chosen_tls() or logging_from_file(os.environ).get("tls")
    try:
        found = tls_for(server, own, common_tls())
    except ConfigError as error:
        raise InvalidRequestError(str(error)) from error
    return found or (_configured().tls.options() if server.startswith(SECURE) else None)


def expect_collector(server: str) -> None:
    """Raises UnavailableError soon where no collector answers there, NotSupportedError where another does."""
    with open_collector(server, _FIRST_ANSWER_SECONDS) as client:
        client.stats()
