"""What a client needs for a secure connection: whom it trusts, what it shows, and the server's name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import msgspec

FILES: Final = ("ca_file", "cert_file", "key_file")
"""Fields that name files."""
RENAMED: Final = {"root_certificates": "ca_file", "private_key": "key_file", "certificate_chain": "cert_file"}
"""Old names of the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Makes the connection a secure one: paths of PEM files, which are read again for each new connection.

    `root_certificates`, `private_key` and `certificate_chain` are old names of `ca_file`, `key_file` and
    `cert_file`; they still work, with a DeprecationWarning.
    """

    ca_file: str | Path | None = None
    """The certificate authorities to trust. None: the system's."""
    cert_file: str | Path | None = None
    """The client's certificate, and the intermediate ones behind it, for mutual TLS. None: it shows none."""
    key_file: str | Path | None = None
    """Its private key, without a password."""
    server_name: str | None = None
    """The name in the server's certificate. None: that of the address."""
    insecure: bool = False
    """True: a plain connection, whatever the configuration and the environment say."""
    root_certificates: str | Path | None = None
    """The old name of `ca_file`."""
    private_key: str | Path | None = None
    """The old name of `key_file`."""
    certificate_chain: str | Path | None = None
    """The old name of `cert_file`."""

    def __post_init__(self) -> None:
        """Takes what is given by old names. Raises TypeError where something is given by both."""
        for old, new in RENAMED.items():
            value = getattr(self, old)
            if value is None:
                continue
            if getattr(self, new) not in (None, value):
                raise TypeError(f"Tls: {new} and {old}, its old name, are both given")
            object.__setattr__(self, new, value)  # frozen for everybody else
            object.__setattr__(self, old, None)
            warnings.warn(f"Tls({old}=…) is Tls({new}=…) now", DeprecationWarning, stacklevel=3)


class TlsFiles(msgspec.Struct, frozen=True):
    """Whom a client trusts and what it shows, as settings; naming a file makes a connection secure."""

    renamed: ClassVar[dict[str, str]] = RENAMED

    ca_file: Path | None = None
    """The certificate authorities to trust, PEM. None: the system's."""
    cert_file: Path | None = None
    """The client's certificate and the intermediate ones behind it, PEM. None: it shows none."""
    key_file: Path | None = None
    """Its private key, PEM, without a password."""
    server_name: str = ""
    """The name in the server's certificate. Empty: that of the address."""
    insecure: bool = False
    """Whether the connection is plain although something else names files."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if (self.cert_file is None) != (self.key_file is None):
            missing = "cert_file" if self.cert_file is None else "key_file"
            yield missing, "cert_file and key_file must be given together"
        if self.insecure and self.options() != Tls(insecure=True):
            yield "insecure", "leave it out, or the files"

    def options(self) -> Tls | None:
        """The settings as a client's `tls`; None: nothing is said here."""
        paths = {name: getattr(self, name) for name in FILES}
        named: dict[str, str] = {name: str(path) for name, path in paths.items() if path is not None}
        if self.server_name:
            named["server_name"] = self.server_name
        if not named and not self.insecure:
            return None
        return Tls(**named, insecure=self.insecure)


def files_of(tls: Tls) -> list[str | Path]:
    """The files that it names."""
    return [path for name in FILES if (path := getattr(tls, name)) is not None]
