"""The SDK's settings as a file and the environment give them: section `sdk`, TELECINE_SDK_*."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from telecine.exceptions import InvalidRequestError
from telecine.request.options import KeepAlive, Tls
from telecine.retry.policy import RetryPolicy
from telecine.settings.loading import ConfigError, Loaded, load_config

PREFIX = "TELECINE_SDK_"
ALIASES = {"TELECINE_SERVER": "server", "TELECINE_DATA_DIR": "data_dir"}
"""Variables of older standing, and the settings they stand for."""
_RECOVERY = "Mend what is named, in the file or the environment; `telecine config check` looks at it again."

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class TlsFiles(msgspec.Struct, frozen=True):
    """PEM files of a secure connection; it is one as soon as any is named."""

    root_certificates: Path | None = None
    """Who is trusted. None: the system's."""
    private_key: Path | None = None
    """For mutual TLS. None: the client shows no certificate."""
    certificate_chain: Path | None = None
    """As `private_key`."""

    def options(self) -> Tls | None:
        """For a client; None: no TLS."""
        paths = {name: getattr(self, name) for name in self.__struct_fields__}
        named = {name: str(path) for name, path in paths.items() if path is not None}
        return Tls(**named) if named else None


class RetryConfig(msgspec.Struct, frozen=True):
    """How patiently a client reconnects and tries again."""

    give_up_after_seconds: NotNegative = 300.0
    """Since something moved forward last. 0: given up at the first failure."""
    initial_backoff_seconds: NotNegative = 0.1
    """Longest wait before the second try; doubled for each further one."""
    max_backoff_seconds: NotNegative = 5.0
    """No wait is longer, but where the server asks for it."""

    def options(self) -> RetryPolicy:
        """For a client."""
        return RetryPolicy(**msgspec.structs.asdict(self))


class KeepAliveConfig(msgspec.Struct, frozen=True):
    """How a dead or frozen server is noticed."""

    interval_seconds: Positive = 20.0
    """Between pings on a quiet connection; servers refuse less than 10."""
    timeout_seconds: Positive = 10.0
    """Without an answer to a ping for this long the connection counts as lost."""
    idle_timeout_seconds: Positive = 30.0
    """Without any message for this long an upload's stream counts as broken."""

    def options(self) -> KeepAlive:
        """For a client."""
        return KeepAlive(**msgspec.structs.asdict(self))


class SdkConfig(msgspec.Struct, frozen=True):
    """What a client does where its caller says nothing."""

    server: str = ""
    """"host:port" or "unix:/path". Empty: an embedded service. TELECINE_SERVER names it too."""
    data_dir: Path | None = None
    """Where an embedded service keeps its data. None: in a temporary directory. TELECINE_DATA_DIR too."""
    retained_bytes: Annotated[int, msgspec.Meta(ge=1)] = 256 << 20
    """Frames that each job keeps in memory until they are acknowledged."""
    call_timeout_seconds: Positive = 30.0
    """For everything but streams."""
    shares_memory: bool = True
    """Whether frames go to a server on this machine through memory, and artifacts are copied from its disk,
    where it offers that."""
    tls: TlsFiles = TlsFiles()
    retry: RetryConfig = RetryConfig()
    keep_alive: KeepAliveConfig = KeepAliveConfig()


def load_sdk_config(environ: Mapping[str, str] | None = None) -> Loaded[SdkConfig]:
    """The settings in force, and where each came from. Raises InvalidRequestError with every fault."""
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
