"""A context for what Python connects itself, made anew when the files behind it have changed."""

from __future__ import annotations

import ssl

from telecine.tls.options import Tls
from telecine.tls.pem_files import PemFiles, client_context


class FreshContext:
    """The context of one client. For one thread at a time."""

    def __init__(self, tls: Tls, *, is_checked: bool = True) -> None:
        """`is_checked` False: any certificate is taken, and so any listener in between.

        Raises TlsFileError for files that cannot be used.
        """
        self._tls = tls
        self._is_checked = is_checked
        self._files = PemFiles(tls)
        self._context = self._made()

    def context(self) -> ssl.SSLContext:
        """The context for the next connection."""
        return self._context

    def has_changed(self) -> bool:
        """Whether the files hold something else that can be used: then `context` is made of that."""
        if not self._files.has_changed():
            return False
        self._context = self._made()
        return True

    def _made(self) -> ssl.SSLContext:
        context = client_context(self._tls)
        if not self._is_checked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
