"""The logger for browsers in a real Chromium, against a real collector that asks for its key."""

from __future__ import annotations

import datetime
import http.server
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Request, Route, async_playwright

from service_host.auth.key_file import new_key, write_keys
from service_host.auth.scopes import Scope
from tests.eventually import eventually_async
from tests.log_collector.harness import Collector, collector
from tests.log_collector.http.test_otlp import HTTP

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing (apt-get install chromium)")

PAGE = """<!doctype html><title>page</title><link rel="icon" href="data:,">
<script src="http://{collector}/telecine-log.js" data-key="{key}" data-service="shop" data-level="debug">
</script>
"""


@contextmanager
def pages() -> Iterator[Any]:
    """A web server whose pages load the logger; `server.html` is what it serves."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(server.html.encode())  # type: ignore[attr-defined]

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.html = ""  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


async def test_a_page_ships_its_records_once_and_never_notices(tmp_path: Path) -> None:
    with pages() as server:
        port = server.server_address[1]
        ours, other = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        key, stored = new_key("shop", "default", (Scope.LOGS_WRITE,), created_at=now, origins=(ours,))
        write_keys(tmp_path / "keys.json", (stored,))
        settings = {"http__origins": (ours, other), "host__auth__keys_file": tmp_path / "keys.json"}
        async with collector(tmp_path / "data", **HTTP, **settings) as running, chromium() as browser:
            server.html = PAGE.format(collector=running.http, key=key)
            page = await browser.new_page()
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            await page.goto(ours)
            await _says_everything(page, running)
            assert faults == ["uncaught", "rejected"]
            await _repeats_what_was_not_answered(page, running)
            await _stays_small_while_nobody_answers(page, running)
            await _ships_what_is_left_when_it_goes(page, running)
            assert len(faults) == 2
            await _is_refused_from_elsewhere(browser, other, running)


async def _says_everything(page: Page, running: Collector) -> None:
    await page.evaluate(
        """() => {
          const log = telecineLog, loop = {inner: {password: "hunter2hunter2"}};
          loop.self = loop;
          log.context({job_id: "j1"});
          log.trace("below the level");
          const text = "x".repeat(9000), body = document.body;
          log.bind({request_id: "r1"}).info("hello", {n: 1, big: 10n, loop, body, text});
          log.warn("odd", {get broken() { throw new Error("a getter"); }});
          log.error(new TypeError("wrong"));
          setTimeout(() => { throw new Error("uncaught"); });
          setTimeout(() => Promise.reject(new Error("rejected")));
        }"""
    )
    await eventually_async(lambda: len(running.records()) >= 5)
    found = {record["msg"]: record for record in running.records()}
    assert set(found) == {"hello", "wrong", "uncaught", "rejected", "records of the page were lost"}
    hello = found["hello"]
    assert (hello["service"], hello["level"], hello["job_id"], hello["request_id"]) == (
        "shop",
        "INFO",
        "j1",
        "r1",
    )
    assert (hello["big"], hello["body"], len(hello["text"])) == ("10", "BODY", 8193)
    assert hello["loop"] == {"inner": {"password": "***redacted***"}, "self": "[...]"}
    assert found["wrong"]["error_type"] == "TypeError"
    assert (found["uncaught"]["event"], found["rejected"]["event"]) == ("uncaught", "unhandledrejection")
    assert all("stack" in found[name] for name in ("wrong", "uncaught", "rejected"))


async def _repeats_what_was_not_answered(page: Page, running: Collector) -> None:
    """The collector stores the batch, and its answer is lost: the page sends it again, and it stands once."""
    before = running.service._accounting.duplicate.total()

    async def lose(route: Route, _request: Request) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/v1/browser", lose, times=1)
    await page.evaluate("() => { telecineLog.info('again'); telecineLog.flush(); }")
    await eventually_async(lambda: running.service._accounting.duplicate.total() == before + 1)
    assert [r["msg"] for r in running.records()].count("again") == 1


async def _stays_small_while_nobody_answers(page: Page, running: Collector) -> None:
    async def refuse(route: Route, _request: Request) -> None:
        await route.abort()

    await page.route("**/v1/browser", refuse)
    await page.evaluate("() => { for (let i = 0; i < 3000; i++) telecineLog.debug('many', {i}); }")
    await page.unroute("**/v1/browser")

    def arrived() -> list[dict[str, Any]]:
        return [record for record in running.records() if record["msg"] == "many"]

    await eventually_async(lambda: len(arrived()) >= 550)
    lost = [r["lost"] for r in running.records() if r["msg"] == "records of the page were lost"]
    numbers = [record["i"] for record in arrived()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 2999
    assert len(numbers) + lost[-1] == 3000


async def _ships_what_is_left_when_it_goes(page: Page, running: Collector) -> None:
    await page.evaluate("() => { telecineLog.info('goodbye'); }")
    await page.goto("about:blank")
    await eventually_async(lambda: "goodbye" in [record["msg"] for record in running.records()])


async def _is_refused_from_elsewhere(browser: Browser, other: str, running: Collector) -> None:
    """The key stands in a page of another origin, which is on the list as well."""
    page = await browser.new_page()
    await page.goto(other)
    async with page.expect_response("**/v1/browser") as answer:
        await page.evaluate("() => { telecineLog.info('stolen'); telecineLog.flush(); }")
    assert (await answer.value).status == 401
    assert "stolen" not in [record["msg"] for record in running.records()]
