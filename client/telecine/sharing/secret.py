"""The secret that a server lays where only its own user on its own machine can read it."""

from __future__ import annotations

import os
import re
from typing import Final

from telecine.sharing.local_file import open_own_file

MEMFD_NAME: Final = "telecine-proof"
SECRET_BYTES: Final = 32
_OFFERED_PATH: Final = re.compile(r"/proc/[0-9]+/fd/[0-9]+")


class ServerSecret:
    """What one client knows of its server's secret; empty until it has been read. Safe in threads."""

    def __init__(self) -> None:
        self.value = b""
        """What is sent as proof."""

    def read(self, path: str) -> bool:
        """Reads the secret from the path that the server named; False: it is out of reach, or no such secret.

        What the server names is opened only if it is a memory file of this user's, of that name.
        """
        if not _OFFERED_PATH.fullmatch(path):
            return False
        file = open_own_file(path, os.O_RDONLY, name=f"/memfd:{MEMFD_NAME}")
        if file is None:
            return False
        try:
            value = os.pread(file, SECRET_BYTES + 1, 0)
        except OSError:
            return False
        finally:
            os.close(file)
        if len(value) != SECRET_BYTES:
            return False
        self.value = value
        return True
