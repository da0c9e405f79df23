"""The token or API key that a client shows: given as it is, or in a file that is read at every call."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TOKEN_VARIABLE: Final = "TELECINE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE_VARIABLE: Final = "TELECINE_TOKEN_FILE"  # noqa: S105 - as above
MAX_TOKEN_BYTES: Final = 64 << 10
_FORM: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")
_BEGINNINGS: Final = ("tlc_", "eyJ")
"""Of API keys, and of JSON Web Tokens."""
_SCHEMES: Final = re.compile(r"(?:dns:(?://[^/\s]*/)?|ipv4:|ipv6:)")
_PORT: Final = re.compile(r":\d+\Z")


class TokenError(ValueError):
    """A token that cannot be used; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """Where a client's token comes from: exactly one of the two."""

    value: str = field(default="", repr=False)
    """The token itself. Empty: `file` has it."""
    file: Path | None = None
    """Read at every call, so that a new token is taken up at once."""

    def __post_init__(self) -> None:
        if bool(self.value) == (self.file is not None):
            raise TokenError("expected either a token or the file of one")
        if self.value:
            _check(self.value, "token")

    def read(self) -> str:
        """The token as it is now. Raises TokenError."""
        if self.file is None:
            return self.value
        try:
            with self.file.open("rb") as file:
                data = file.read(MAX_TOKEN_BYTES + 1)
        except OSError as error:
            raise TokenError(f"{self.name} cannot be read: {error.strerror}") from error
        if len(data) > MAX_TOKEN_BYTES:
            raise TokenError(f"{self.name} is larger than {MAX_TOKEN_BYTES >> 10} KiB")
        text = data.decode("ascii", "replace").strip()
        _check(text, self.name)
        return text

    @property
    def name(self) -> str:
        """What it is called in messages: never by a token that was given as the name of a file."""
        is_token = self.file is None or str(self.file).startswith(_BEGINNINGS)
        return "token_file" if is_token else f"token_file: {self.file}"


def token_of(
    value: str | None = None, file: str | Path | None = None, environ: Mapping[str, str] | None = None
) -> Token | None:
    """The token that was given, else that of TELECINE_TOKEN_FILE or TELECINE_TOKEN; None: none.

    Raises TokenError where both a token and a file are given, and where the token cannot be used.
    """
    if value is None and file is None:
        environ = os.environ if environ is None else environ
        value = environ.get(TOKEN_VARIABLE, "").strip() or None
        file = environ.get(TOKEN_FILE_VARIABLE, "").strip() or None
        if value is not None and file is not None:
            raise TokenError(f"expected either {TOKEN_VARIABLE} or {TOKEN_FILE_VARIABLE}, both are set")
    if value is None and file is None:
        return None
    return Token(value or "", None if file is None else Path(file))


def check_private(address: str, *, is_secure: bool, is_insecure_said: bool) -> None:
    """Raises TokenError where a token would travel over a network in the clear, and nobody said it may."""
    if is_secure or is_insecure_said or _stays_here(address):
        return
    raise TokenError(
        f"a token is not sent to {address} in the clear, where others could read it: use TLS "
        '("tls://host:port"), or say that it may be (tls insecure)'
    )


def _stays_here(address: str) -> bool:
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = _PORT.sub("", _SCHEMES.sub("", address, count=1)).strip("[]").partition("%")[0]
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(token: str, where: str) -> None:
    if not token:
        raise TokenError(f"{where} is empty")
    if len(token) > MAX_TOKEN_BYTES or not _FORM.fullmatch(token):
        raise TokenError(f"{where} holds no token: expected one word of letters, digits and ._~+/=-")
