"""A real HTTP listener that answers as a test says and records what came, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0" * 4
OTHER_SECRET = "whsec_" + "b3RoZXIu" * 4

ALLOWED = {
    "webhooks.secret": SECRET,
    "webhooks.allowed_networks": "127.0.0.0/8",
    "webhooks.allows_plain_http": "true",
    "webhooks.first_retry_seconds": "50ms",
    "webhooks.max_retry_seconds": "100ms",
}
"""Settings of a server that may tell this listener."""


@dataclass(frozen=True)
class Delivery:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> str:
        return str(json.loads(self.body)["type"])

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found

    def verified(self, secret: str = SECRET) -> Any:
        """The body, judged by the specification's own library. Raises where the signature is wrong."""
        return Webhook(secret).verify(self.body, self.headers)


class Listener:
    """Listens on a free port of this machine. `answers` are given one after the other, then 204 for ever."""

    def __init__(self, *answers: int | str, headers: dict[str, str] | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self._answers = list(answers)
        self._extra = headers or {}
        self._released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=hush-hush"

    def events(self) -> list[str]:
        return [delivery.event for delivery in self.deliveries]

    def release(self) -> None:
        """Lets "hang" answers go."""
        self._released.set()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._answers.pop(0) if self._answers else 204
        self.deliveries.append(Delivery(request.path, headers, request.rfile.read(length)))
        if answer == "cut":
            request.close_connection = True
            request.connection.close()
            return
        if answer == "hang":
            self._released.wait(30)
            request.close_connection = True
            return
        request.send_response(int(answer))
        for name, value in self._extra.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Maker = Callable[..., Listener]
