"""Reads a client's PEM files, and says what is wrong with them before gRPC tries for ever."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telecine.tls.options import FILES, Tls, files_of


class TlsFileError(ValueError):
    """A file that cannot be used; the message says what is expected."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"tls.{field}: {expected}")
        self.field = field
        """Of `Tls`."""
        self.expected = expected
        """What was wrong and what is expected."""


@dataclass(frozen=True, slots=True)
class Pem:
    """What the files hold, in the order in which gRPC takes it."""

    ca: bytes | None
    """None: the system's authorities."""
    key: bytes | None
    certificate: bytes | None


def read_pem(tls: Tls) -> Pem:
    """Reads the files and checks that they fit. Raises TlsFileError."""
    ca, key, certificate = (_read(tls, name) for name in ("ca_file", "key_file", "cert_file"))
    client_context(tls)
    return Pem(ca, key, certificate)


def faults_of_files(tls: Tls) -> Iterator[tuple[str, str]]:
    """Yields (field, what is expected) for files of a configuration that cannot be used."""
    named = {name: path for name in FILES if (path := getattr(tls, name)) is not None}
    missing = [name for name, path in named.items() if not Path(path).is_file()]
    for name in missing:
        yield name, f"expected a file that can be read, found none at {named[name]}"
    if missing or not named:
        return
    try:
        read_pem(tls)
    except TlsFileError as error:
        yield error.field, error.expected


def client_context(tls: Tls) -> ssl.SSLContext:
    """A context with the same files, for what Python connects itself. Raises TlsFileError."""
    if (tls.key_file is None) != (tls.cert_file is None):
        missing, given = ("key_file", "cert_file") if tls.key_file is None else ("cert_file", "key_file")
        raise TlsFileError(missing, f"expected one beside tls.{given}, or neither of them")
    context = ssl.create_default_context() if tls.ca_file is None else _trusting(tls.ca_file)
    if tls.cert_file is not None and tls.key_file is not None:
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
        except (ssl.SSLError, OSError) as error:
            raise _pair_fault(tls, error) from error
    return context


def _trusting(ca_file: str | Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as error:
        raise TlsFileError(
            "ca_file", f"expected certificates in PEM ({_reason(error)}): {ca_file}"
        ) from error


def _pair_fault(tls: Tls, error: OSError) -> TlsFileError:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        text = f"expected the key of the certificate in {tls.cert_file} ({_reason(error)})"
    else:
        expected = "expected a key in PEM without a password, and its certificate in tls.cert_file"
        text = f"{expected} ({_reason(error)})"
    return TlsFileError("key_file", text)


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)


def _read(tls: Tls, name: str) -> bytes | None:
    path = getattr(tls, name)
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TlsFileError(name, f"{path} cannot be read: {error.strerror}") from error


class PemFiles:
    """The files of one client, read again when they have changed. For one thread at a time."""

    def __init__(self, tls: Tls) -> None:
        """Reads them. Raises TlsFileError."""
        self._tls = tls
        self._stamps = self._look()
        self.pem = read_pem(tls)
        """What they held when they last fitted."""

    def has_changed(self) -> bool:
        """Whether they hold something else that can be used: then `pem` is that. Half a pair waits."""
        stamps = self._look()
        if stamps == self._stamps:
            return False
        try:
            pem = read_pem(self._tls)
        except TlsFileError:
            return False
        if self._look() != stamps:
            return False  # changed meanwhile: the next look sees the whole
        self._stamps = stamps
        is_other = pem != self.pem
        self.pem = pem
        return is_other

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in files_of(self._tls):
            try:
                state = os.stat(path)  # noqa: PTH116 - called for each call; a Path would cost more
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((state.st_mtime_ns, state.st_ino, state.st_size))
        return tuple(found)
