"""A TCP relay whose connections can be cut or held, and whose target can be changed."""

from __future__ import annotations

import socket
import threading
from typing import Self


class TcpProxy:
    """Relays to `target` ("host:port" or "unix:/path"). Counts the bytes it has carried upwards and back."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.carried_bytes = 0
        self.returned_bytes = 0
        self.cut_after_bytes: int | None = None
        """Cuts all connections, once, when so many bytes have gone up."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Ends all connections at once, as a broken network does."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for end in sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hold(self) -> None:
        """Lets nothing through any more, and closes nothing."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        self.release()
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = _connected(self.target)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._sockets |= {near, far}
            threading.Thread(target=self._relay, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._relay, args=(far, near, False), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, is_upwards: bool) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
                if not is_upwards:
                    self.returned_bytes += len(data)
                else:
                    self.carried_bytes += len(data)
                    if self.cut_after_bytes is not None and self.carried_bytes >= self.cut_after_bytes:
                        self.cut_after_bytes = None
                        self.cut()
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def _connected(target: str) -> socket.socket:
    if target.startswith("unix:"):
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            far.connect(target.removeprefix("unix:"))
        except OSError:
            far.close()
            raise
        return far
    host, _, port = target.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)
