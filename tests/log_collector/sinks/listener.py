"""A real HTTP server that plays a log service: keeps what it is sent, answers as a test tells it to."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec


class Heard(msgspec.Struct):
    """One request as it came, its body unpacked."""

    path: str
    headers: dict[str, str]
    body: bytes
    raw_bytes: int


class Reply(msgspec.Struct):
    """How to answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}
    is_cut: bool = False
    """Say more bytes than are sent, then end the connection."""
    is_last: bool = False
    """End the connection behind the whole answer, without having said so."""
    waits_for: threading.Event | None = None
    """Answer only once it is set."""


Answering = Callable[[Heard], Reply]


class Listener:
    """`answer` decides for each request; `script` holds replies that come first, in their order."""

    def __init__(self, answer: Answering | None = None) -> None:
        self.heard: list[Heard] = []
        self.script: list[Reply | Answering] = []
        self.answer: Answering = answer or (lambda _: Reply())
        self.ended = threading.Semaphore(0)
        """Counts connections that the server has ended."""
        self.released = threading.Event()
        """Set at the end: what waits for it must not outlive the test."""
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                owner._serve(self)

            do_PUT = do_POST  # noqa: N815 - the name is that of http.server

            def log_message(self, *_: object) -> None:
                """Silence."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Silence: a sink that is killed resets its connection."""

            def shutdown_request(self, request: Any) -> None:
                super().shutdown_request(request)
                owner.ended.release()

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = gzip.decompress(raw) if handler.headers.get("Content-Encoding") == "gzip" else raw
        heard = Heard(handler.path, {k.lower(): v for k, v in handler.headers.items()}, body, len(raw))
        with self._lock:
            self.heard.append(heard)
            step = self.script.pop(0) if self.script else self.answer
            reply = step if isinstance(step, Reply) else step(heard)
        if reply.waits_for is not None:
            reply.waits_for.wait(60)
        try:
            self._reply(handler, reply)
        except OSError:
            # The sink, or the process it lived in, has gone.
            handler.close_connection = True

    @staticmethod
    def _reply(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body) + (100 if reply.is_cut else 0)))
        handler.end_headers()
        handler.wfile.write(reply.body)
        handler.close_connection = reply.is_cut or reply.is_last
