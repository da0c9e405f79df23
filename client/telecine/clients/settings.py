"""What the blocking and the asyncio client share: where the server is, retries, limits, rules of use."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from telecine import exceptions as errors
from telecine.channel.arguments import Target
from telecine.channel.bearer import refused_token
from telecine.channel.calls import GET_CAPABILITIES
from telecine.channel.outage import Outage
from telecine.exceptions import InvalidRequestError
from telecine.logging import get_logger
from telecine.logging.unknown_variables import report_unknown_variables
from telecine.machine import host_id
from telecine.request.fields import flag, instance, number, refused, text, whole
from telecine.request.options import KeepAlive, Tls
from telecine.results.destination import Destination
from telecine.results.target import directory_of
from telecine.results.values import EncodeResult
from telecine.retry import Backoff, BreakerPolicy, CircuitBreaker, Decision, Retry, RetryPolicy
from telecine.retry.report import report_decision
from telecine.settings.address import AddressError, parse_address
from telecine.settings.config_file import named_file
from telecine.settings.loading import ConfigError, Loaded, load_config
from telecine.settings.token import Token, TokenError, token_of
from telecine.settings.trust import withheld_token
from telecine.sharing.secret import ServerSecret
from telecine.tls.options import TlsFiles
from telecine.tls.settings import common_tls, tls_for

_Value = TypeVar("_Value")

DOWNLOAD_ATTEMPT_SECONDS = 300.0
"""A download that takes longer continues with a new call."""
RING_WAIT_SECONDS = 0.05
"""How long a push waits for room in the ring, and the first one for the ring itself: frames that go through
other memory are copied twice. A server that works answers sooner."""
CANCEL_SECONDS = 5.0
"""The longest wait after Ctrl-C for a server that does not answer; it expires the job by itself."""
OUTPUT_DIRECTORY = "telecine-output"
"""Below the working directory: where artifacts go whose caller names no place."""
CIRCUIT = BreakerPolicy(failures_to_open=10, open_seconds=1.0)
"""When the unary calls of a client stop calling a dead server: together they try it once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a client behaves."""

    server: str | None
    """None: an embedded one."""
    tls: Tls | None = None
    token: Token | None = None
    """Shown with each call; None: nothing is."""
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    calls: Retry = field(default_factory=Retry)
    """How unary calls are retried: one budget and one circuit for all of them."""
    retained_bytes: int = 256 << 20
    call_timeout_seconds: float = 30.0
    shares_memory: bool = True
    """Lay frames into memory that a server on this machine offers, and copy artifacts from its disk,
    instead of sending them."""
    leaves_results: bool = True
    """Whether what was made can be fetched later: not from an embedded server without a `data_dir`, whose
    directory is removed at the end of the program."""
    secret: ServerSecret = field(default_factory=ServerSecret)
    """The secret of a server on this machine, once it has been read: proof of being there."""
    process_id: int = field(default_factory=os.getpid)

    def target(self, address: str) -> Target:
        """The server at an address, and how it is spoken to. Raises InvalidRequestError."""
        return Target(address, self.tls, self.keep_alive, self.token)

    @property
    def host_id(self) -> str:
        """Identifies this machine to a server on it; empty: nothing is shared with one."""
        return host_id() if self.shares_memory else ""

    def rescue_place(self, result: EncodeResult) -> Destination | None:
        """Where artifacts go that nobody said a place for, and that would be lost; None: they would not be.

        A directory that cannot be written is reported in the log and is no error: nobody asked for it.
        """
        if self.leaves_results or not result.artifacts:
            return None
        directory = Path(OUTPUT_DIRECTORY, result.job_id)
        try:
            return Destination(directory_of(directory) or directory)
        except errors.TargetError as error:
            get_logger("telecine.client").warning(
                "the artifacts end with this program, for they cannot be kept",
                job_id=result.job_id, error=error.message,
            )  # fmt: skip
            return None

    def stream_backoff(self) -> Backoff:
        """The backoff of one stream."""
        return Backoff(self.retry)

    def report_lost(
        self, decision: Decision | None, error: errors.TelecineError, job_id: str, connection: int
    ) -> None:
        """Logs what was decided after an upload lost its connection; None: nothing was."""
        if decision is not None:
            report_decision(
                decision, self.retry, error, call="Encode", level="INFO", job_id=job_id, connection=connection
            )

    def calling(self, rpc: str, timeout_seconds: float | None) -> tuple[float, Retry, Outage]:
        """How long one unary call may take, how it is retried, and what reports that nobody answers.

        `timeout_seconds`: None: as configured.
        """
        timeout = timeout_seconds or self.call_timeout_seconds
        return timeout, self.calls.within(timeout, rpc), self.outage(timeout, rpc)

    def outage(self, seconds: float | None = None, rpc: str = "", *, job_id: str = "") -> Outage:
        """What reports that the server does not answer, for a call of so many seconds; None: a stream."""
        limit = self.retry.give_up_after_seconds
        limit = limit if seconds is None else min(limit, seconds)
        name = f"encoder {self.server}" if self.server else "the embedded encoder"
        return Outage(name, limit, job_id=job_id, is_slow=rpc == GET_CAPABILITIES.path)

    def check_process(self) -> None:
        """Raises OutOfOrderError in a process that was forked after the client was made."""
        if os.getpid() != self.process_id:
            raise errors.OutOfOrderError(
                "this client was made before a fork, which gRPC does not survive; make one in this process"
            )


def settings_of(
    server: str | None,
    tls: Tls | None,
    keep_alive: KeepAlive | None,
    retry: RetryPolicy | None,
    retained_bytes: int | None,
    call_timeout_seconds: float | None,
    shares_memory: bool | None = None,
    shown: tuple[str | None, str | Path | None] = (None, None),
) -> ClientSettings:
    """Fills in what the caller left out. `shown`: a token, and the file of one.

    Raises InvalidRequestError where an argument or the configuration is wrong.
    """
    loaded = load_sdk_config()
    configured = loaded.value
    report_unknown_variables(os.environ, get_logger("telecine.settings"))
    _check_types(server, tls, keep_alive, retry)
    if retained_bytes is not None:
        retained_bytes = whole(retained_bytes, "retained_bytes", 1, 2**63 - 1)
    if call_timeout_seconds is not None:
        call_timeout_seconds = number(call_timeout_seconds, "call_timeout_seconds")
    if shares_memory is not None:
        shares_memory = flag(shares_memory, "shares_memory")
    is_found = not server and _is_found(loaded)
    server = server or configured.server or None
    if server is not None:
        Target(server)  # a wrong address is reported before the first frame
    retry = retry or configured.retry.options()
    circuit = CircuitBreaker(
        f"encoder {server or 'embedded'}", CIRCUIT, counts=_speaks_against_the_server, level="INFO"
    )
    return ClientSettings(
        server=server,
        tls=tls_of(server, tls, configured),
        token=_token_of(server, *shown, configured, is_found=is_found),
        keep_alive=keep_alive or configured.keep_alive.options(),
        retry=retry,
        calls=Retry(retry, breaker=circuit, level="INFO"),
        retained_bytes=_or(retained_bytes, configured.retained_bytes),
        call_timeout_seconds=_or(call_timeout_seconds, configured.call_timeout_seconds),
        shares_memory=_or(shares_memory, configured.shares_memory),
        leaves_results=bool(server or configured.data_dir),
    )


def tls_of(server: str | None, tls: Tls | None, configured: SdkConfig) -> Tls | None:
    """How the server is spoken to. An embedded one listens on a private socket, and has no certificate."""
    if server is None:
        return None
    try:
        return tls_for(server, tls or configured.tls.options(), common_tls())
    except ConfigError as error:
        raise InvalidRequestError(str(error), recovery=_RECOVERY) from error


def _token_of(
    server: str | None,
    token: str | None,
    token_file: str | Path | None,
    configured: SdkConfig,
    *,
    is_found: bool,
) -> Token | None:
    """What is shown to the server. An embedded one asks nobody who they are.

    `is_found`: a file that was merely found names the server. Such a file is not trusted with a token that
    its author does not have.
    """
    if not isinstance(token, str | None):
        # Not by `refused`, which would repeat it.
        raise refused_token(TokenError("token: expected a token or an API key as text"))
    if token_file is not None and not isinstance(token_file, str | Path):
        raise refused("token_file", token_file, "the path of a file that holds a token or an API key")
    if server is None:
        return None
    if token is None and token_file is None:
        token_file = configured.token_file
    try:
        if token is None and token_file is None and is_found and token_of() is not None:
            raise TokenError(withheld_token(server, "TELECINE_SERVER"))
        return token_of(token, token_file)
    except TokenError as error:
        raise refused_token(error) from error


def _is_found(loaded: Loaded[SdkConfig]) -> bool:
    """Whether the server stands in a file that nobody named."""
    is_of_file = loaded.sources_of("server").startswith("file ")
    return is_of_file and named_file(os.environ) is None and not os.environ.get(f"{PREFIX}CONFIG")


def _check_types(
    server: str | None, tls: Tls | None, keep_alive: KeepAlive | None, retry: RetryPolicy | None
) -> None:
    if server is not None:
        text(server, "server", 'an address, such as "localhost:50051" or "unix:/path"')
    if tls is not None:
        paths = instance(tls, Tls, "tls", 'a Tls, such as Tls(ca_file="ca.pem")')
        for name in ("ca_file", "cert_file", "key_file"):
            if not isinstance(path := getattr(paths, name), str | Path | None):
                raise refused(f"tls.{name}", path, "the path of a PEM file")
        if not isinstance(paths.server_name, str | None):
            raise refused("tls.server_name", paths.server_name, "the name in the server's certificate")
        flag(paths.insecure, "tls.insecure")
    if keep_alive is not None:
        instance(keep_alive, KeepAlive, "keep_alive", "a KeepAlive")
        for name in ("interval_seconds", "timeout_seconds", "idle_timeout_seconds"):
            number(getattr(keep_alive, name), f"keep_alive.{name}", 0.001)
    if retry is not None:
        instance(retry, RetryPolicy, "retry", "a RetryPolicy, such as RetryPolicy(give_up_after_seconds=60)")


def _or(said: _Value | None, configured: _Value) -> _Value:
    return configured if said is None else said


def _speaks_against_the_server(error: Exception) -> bool:
    return isinstance(error, errors.UnavailableError | errors.TimedOutError)


def timeout_of(timeout_seconds: float) -> float:
    """How long a caller wants to wait. Raises InvalidRequestError for what is no time."""
    return number(timeout_seconds, "timeout_seconds")


def pause_seconds(backoff: Backoff, error: errors.TelecineError, call: str, outage: Outage) -> float:
    """How long to wait before the next try; raises `error` when there is to be no other.

    `call`: what was tried, for the record of the decision. `outage`: takes note of the failure.
    """
    outage.failed(error)
    decision = backoff.decide(error, time.monotonic(), random.random())  # noqa: S311 -- jitter
    report_decision(decision, backoff.policy, error, call=call, level="INFO")
    if not decision.is_again:
        raise error
    return decision.delay_seconds


PREFIX = "TELECINE_SDK_"


ALIASES = {"TELECINE_SERVER": "server", "TELECINE_DATA_DIR": "data_dir"}
"""Older variables, and the settings that they stand for."""


_RECOVERY = "Fix what is named, in the file or the environment; `telecine config check` checks it again."


Positive = Annotated[float, msgspec.Meta(gt=0)]


NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class RetryConfig(msgspec.Struct, frozen=True):
    """How long and how often a client reconnects and retries."""

    give_up_after_seconds: NotNegative = 300.0
    """Time since something last moved forward. 0: given up at the first failure."""
    initial_backoff_seconds: NotNegative = 0.1
    """Longest wait before the second try; doubled for each further one."""
    max_backoff_seconds: NotNegative = 5.0
    """No wait is longer, unless the server asks for it."""

    def options(self) -> RetryPolicy:
        """The settings as a client's `retry`."""
        return RetryPolicy(**msgspec.structs.asdict(self))


class KeepAliveConfig(msgspec.Struct, frozen=True):
    """How a dead or frozen server is noticed."""

    interval_seconds: Positive = 20.0
    """Time between pings on a quiet connection; servers refuse less than 10 seconds."""
    timeout_seconds: Positive = 10.0
    """A connection counts as lost if a ping is not answered for this long."""
    idle_timeout_seconds: Positive = 30.0
    """An upload's stream counts as broken if no message comes for this long."""

    def options(self) -> KeepAlive:
        """The settings as a client's `keep_alive`."""
        return KeepAlive(**msgspec.structs.asdict(self))


class SdkConfig(msgspec.Struct, frozen=True):
    """What a client does unless its caller says otherwise."""

    server: str = ""
    """"host:port", "tls://host:port" or "unix:/path". Empty: an embedded service. TELECINE_SERVER names it
    too."""
    data_dir: Path | None = None
    """Where an embedded service keeps its data; while another process has it, `processes/2` below it, and so
    on. None: in a temporary directory. TELECINE_DATA_DIR too."""
    retained_bytes: Annotated[int, msgspec.Meta(ge=1)] = 256 << 20
    """Frames that each job keeps in memory until they are acknowledged."""
    call_timeout_seconds: Positive = 30.0
    """Limit of one call, retries included; streams have none."""
    shares_memory: bool = True
    """Whether frames go to a server on this machine through memory, and artifacts are copied from its disk,
    if it offers that."""
    token_file: Path | None = None
    """A file with a token or an API key, read at each call. None: TELECINE_TOKEN_FILE or TELECINE_TOKEN, by
    default none."""
    tls: TlsFiles = TlsFiles()
    """For this server alone. Where nothing is said here, section `tls` and TELECINE_TLS_* hold, which are for
    every client."""
    retry: RetryConfig = RetryConfig()
    keep_alive: KeepAliveConfig = KeepAliveConfig()

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.server:
            try:
                parse_address(self.server)
            except AddressError as error:
                yield "server", str(error)


def load_sdk_config(environ: Mapping[str, str] | None = None) -> Loaded[SdkConfig]:
    """The settings in force, and where each came from. Raises InvalidRequestError that names every fault."""
    try:
        return load_config(
            SdkConfig,
            prefix=PREFIX,
            section="sdk",
            environ=os.environ if environ is None else environ,
            aliases=ALIASES,
        )
    except ConfigError as error:
        raise InvalidRequestError(str(error), recovery=_RECOVERY) from error
