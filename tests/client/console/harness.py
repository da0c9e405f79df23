"""A real console before real services, and a browser's requests without a browser."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from telecine.console.server.app import Console, ConsoleOptions
from telecine.console.server.listener import Port, server_of
from telecine.console.services.access import Services


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Browser:
    """One viewer: keeps its cookie."""

    port: int
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, form: dict[str, object] | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Origin": f"http://127.0.0.1:{self.port}"} if method == "POST" else {}
        if self.cookie:
            sent["Cookie"] = self.cookie
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = urlencode(form, doseq=True) if form is not None else None
        connection.request(method, path, body, {name: value for name, value in sent.items() if value})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        if made := answer.headers.get("set-cookie"):
            self.cookie = made.partition(";")[0]
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def csrf(self) -> str:
        return self.get("/fleet").text.partition('name="csrf" value="')[2].partition('"')[0]


@dataclass
class Running:
    """A console that runs in a thread of its own."""

    port: int
    links: list[str]
    console: Console

    def browser(self) -> Browser:
        return Browser(self.port)

    def opened(self) -> Browser:
        browser = self.browser()
        assert browser.get(f"/open?key={self.links[-1]}").status == 303
        return browser


@contextmanager
def console(encoder: str, collector: str) -> Iterator[Running]:
    links: list[str] = []
    made = Console(
        ConsoleOptions(services=Services(encoder, collector), announce=links.append, is_secure=False)
    )
    port = Port("127.0.0.1", 0)
    listening = port.bind()
    server = server_of(made, port)

    async def run() -> None:
        made.open()
        await server.serve(sockets=[listening])
        await made.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield Running(listening.getsockname()[1], links, made)
    finally:
        server.should_exit = True
        thread.join()
