"""The console before real services, as a browser's requests see it."""

from __future__ import annotations

import asyncio
import io
import json
import re

import numpy as np
import pytest
import telecine
from PIL import Image
from telecine.clients.embedded import EmbeddedServer
from telecine.console.server.guard import exposure_fault, is_known_host
from telecine.console.server.ranges import RangeError, range_of
from telecine.console.server.sessions import IDLE_SECONDS, MAX_SESSIONS, Sessions
from telecine.console.services.access import Services, of_the_starter
from telecine.testing import draw_clip

from tests.client.console.harness import Browser, Running
from tests.eventually import eventually
from tests.log_collector.collector_process import CollectorProcess
from tests.log_collector.harness import batch, record, ship

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31mred\x1b[0m \u202egnirts\u202c"


@pytest.fixture(scope="module")
def viewer(running: Running, encoder: EmbeddedServer, collector: CollectorProcess) -> Browser:
    with telecine.Client(encoder.address) as client:
        client.encode(draw_clip(), fps=8, outputs=["mp4", "apng"], job_id="clip-1")
    records = [
        record(1, msg=HOSTILE, job_id="clip-1", note=HOSTILE),
        record(2, msg="broke", level="ERROR", stack="Traceback\n  File 'a.py', line 1\nValueError: <b>"),
        record(3, msg="big " + "x" * 300_000),
        *(record(n, msg=f"polled {n}", service="poller") for n in range(4, 500)),
    ]
    asyncio.run(ship(collector.address, batch(1, records)))
    browser = running.opened()
    eventually(lambda: "polled 499" in browser.get("/logs").text)
    return browser


def test_nothing_is_shown_to_those_who_are_not_logged_in(running: Running, viewer: Browser) -> None:
    stranger = running.browser()
    paths = (
        "/jobs",
        "/jobs/clip-1",
        "/logs",
        "/logs/export",
        "/fleet",
        "/jobs/clip-1/manifest.json",
        "/jobs/live",
    )
    for path in paths:
        answer = stranger.get(path)
        assert (answer.status, answer.headers["location"]) == (303, "/log-in"), path
    assert stranger.ask("POST", "/jobs/cancel", {"job": "clip-1"}).headers["location"] == "/log-in"


def test_a_link_opens_once_and_the_next_one_is_announced(running: Running) -> None:
    used, count = running.links[-1], len(running.links)
    first = running.opened()
    assert first.get("/fleet").status == 200
    assert len(running.links) == count + 1
    assert running.browser().get(f"/open?key={used}").status == 403
    made = running.browser().get(f"/open?key={running.links[-1]}").headers["set-cookie"]
    assert "HttpOnly" in made
    assert "SameSite=strict" in made


def test_a_key_opens_nothing_where_the_services_ask_for_none(running: Running) -> None:
    answer = running.browser().ask("POST", "/log-in", {"key": "tlc_anything"})
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_every_answer_carries_the_strict_headers(viewer: Browser) -> None:
    for path in ("/jobs", "/logs", "/fleet", "/assets/console.js", "/nowhere", "/log-in"):
        headers = viewer.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in headers["content-security-policy"]


def test_a_name_that_is_not_ours_is_refused(viewer: Browser) -> None:
    assert viewer.get("/jobs", Host="evil.example").status == 421
    assert viewer.get("/jobs", Host=f"localhost:{viewer.port}").status == 200
    assert [is_known_host(host, {"ours.example"}) for host in ("ours.example:8", "[::1]:8", "10.0.0.1")] == [
        True
    ] * 3
    assert not any(is_known_host(host, ()) for host in ("", "127.0.0.1.evil.example", "a b", "[::1].x"))


def test_a_change_needs_our_origin_and_the_token_of_the_session(viewer: Browser) -> None:
    form: dict[str, object] = {"job": "clip-1", "csrf": viewer.csrf()}
    assert viewer.ask("POST", "/jobs/cancel", form, Origin="http://evil.example").status == 403
    assert viewer.ask("POST", "/jobs/cancel", form, Origin="").status == 403
    assert viewer.ask("POST", "/jobs/cancel", form | {"csrf": "wrong"}).status == 403
    assert viewer.ask("POST", "/jobs/cancel", form).status == 303


def test_logging_out_ends_the_session(running: Running) -> None:
    browser = running.opened()
    kept = browser.cookie
    assert browser.ask("POST", "/log-out", {"csrf": browser.csrf()}).status == 303
    browser.cookie = kept
    assert browser.get("/jobs").status == 303


def test_jobs_are_listed_filtered_and_cancelled(viewer: Browser, encoder: EmbeddedServer) -> None:
    assert "clip-1" in viewer.get("/jobs").text
    assert "clip-1" not in viewer.get("/jobs?state=failed").text
    with telecine.Client(encoder.address) as client:
        job = client.open_job(
            fps=8, outputs=["mp4"], job_id="open-1", width=64, height=48, pixel_format="rgb24"
        )
        job.push(draw_clip())
        eventually(lambda: "open-1" in viewer.get("/jobs?state=receiving").text)
        viewer.ask("POST", "/jobs/cancel", {"job": ["open-1"], "csrf": viewer.csrf()})
        assert client.get_job("open-1").state == "cancelled"
        job.close()


def test_states_have_their_colour_and_numbers_stand_below_their_heads(viewer: Browser) -> None:
    """A second argument with classes had replaced the first ones."""
    for path in ("/jobs", "/jobs/clip-1"):
        text = viewer.get(path).text
        assert 'class="state is-succeeded"' in text
        head, _, body = text.partition("</thead>")
        shown = re.findall(r"<th[^>]*>", head.rpartition("<thead")[2])
        cells = re.findall(r"<t[hd][^>]*>", body.partition("</tr>")[0])
        assert ["number" in each for each in shown] == ["number" in each for each in cells]


def test_a_job_that_comes_in_shows_its_newest_frame(viewer: Browser, encoder: EmbeddedServer) -> None:
    with (
        telecine.Client(encoder.address) as client,
        client.open_job(fps=8, outputs=["mp4"], job_id="coming-in") as job,
    ):
        job.push(np.zeros((4, 48, 64, 3), np.uint8))
        eventually(lambda: viewer.get("/jobs/coming-in/preview").status == 200)
        assert "mp4<small>" in viewer.get("/jobs").text  # no bar, and no 0, of a total that nobody knows yet
        shown = viewer.get("/jobs/coming-in/preview")
        assert shown.headers["content-type"] == "image/jpeg"
        assert "sandbox" in shown.headers["content-security-policy"]
        assert Image.open(io.BytesIO(shown.body)).size == (64, 48)
        job.cancel()
        assert viewer.get("/jobs/coming-in/preview").status == 400


def test_an_artifact_is_served_in_ranges(viewer: Browser) -> None:
    address = "/jobs/clip-1/artifacts/mp4.mp4"
    page = viewer.get("/jobs/clip-1").text
    address = page.partition('<video src="')[2].partition('"')[0]
    whole = viewer.get(address)
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    size = len(whole.body)
    for asked, first, last in (
        ("0-0", 0, 0),
        ("10-19", 10, 19),
        (f"{size - 5}-", size - 5, size - 1),
        ("-7", size - 7, size - 1),
    ):
        part = viewer.get(address, Range=f"bytes={asked}")
        assert (part.status, part.body) == (206, whole.body[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
    assert viewer.get(address, Range=f"bytes={size}-").status == 416
    assert viewer.get(address, If_None_Match=whole.headers["etag"]).status == 304
    assert "sandbox" in whole.headers["content-security-policy"]
    assert viewer.get(f"{address}?download=1").headers["content-disposition"].startswith("attachment")
    assert viewer.get("/jobs/clip-1/artifacts/..%2f..%2fetc%2fpasswd").status == 404


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("bytes=0-99", (0, 10)), ("bytes=-3", (7, 3)), ("bytes=4-", (4, 6)), ("bytes=5-4", None),
     ("bytes=0-1,3-4", None), ("items=0-1", None), ("bytes=-", None)],
)  # fmt: skip
def test_a_range_is_read(header: str | None, expected: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_a_range_outside_of_the_file_is_an_error(header: str) -> None:
    with pytest.raises(RangeError):
        range_of(header, 10)


def test_a_job_shows_its_manifest_and_its_records(viewer: Browser) -> None:
    page = viewer.get("/jobs/clip-1").text
    assert "Manifest" in page
    assert "none missing" in page
    assert json.loads(viewer.get("/jobs/clip-1/manifest.json").body)["job_id"] == "clip-1"


def test_hostile_records_are_text(viewer: Browser) -> None:
    page = viewer.get("/logs?q=job:clip-1").text
    assert "&lt;script&gt;" in page
    record_address = page.partition('hx-get="/logs/record?')[2].partition('"')[0].replace("&amp;", "&")
    details = viewer.get(f"/logs/record?{record_address}").text
    for shown in (page, details, viewer.get("/jobs/clip-1").text):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert viewer.get(f"/logs/record?{record_address}&whole=1").status == 200


def test_a_huge_record_costs_a_line_of_its_own_size(viewer: Browser) -> None:
    page = viewer.get("/logs?q=xxxxxxxxxx")
    assert "big xxx" in page.text
    assert len(page.body) < 20_000


def test_records_are_filtered_paged_and_exported(viewer: Browser) -> None:
    page = viewer.get("/logs?quick=errors").text
    assert "broke" in page
    assert "polled" not in page
    wrong = viewer.get("/logs?q=level:loud")
    assert (wrong.status, "is no level" in wrong.text) == (400, True)
    seen: list[str] = []
    address = "/logs?q=service:poller"
    while address:
        text = viewer.get(address).text
        seen += [part.partition("<")[0] for part in text.split('<span class="message"><bdi>')[1:]]
        address = text.partition('<li class="more"><a href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == [f"polled {n}" for n in range(499, 3, -1)]
    lines = viewer.get("/logs/export?q=service:poller").body.splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(499, 3, -1))


def test_a_console_on_a_network_needs_tls_or_a_word() -> None:
    assert "--insecure" in exposure_fault("0.0.0.0", has_tls=False, is_insecure=False)
    assert not exposure_fault("127.0.0.1", has_tls=False, is_insecure=False)
    assert not exposure_fault("0.0.0.0", has_tls=True, is_insecure=False)


def test_sessions_are_bounded_in_number_and_time() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    cookies = [sessions.begin(of_the_starter(Services())) for _ in range(MAX_SESSIONS + 3)]
    assert len(sessions) == MAX_SESSIONS
    assert sessions.find(cookies[0]) is None
    assert sessions.find(cookies[-1]) is not None
    now[0] += IDLE_SECONDS + 1
    assert sessions.find(cookies[-1]) is None
    assert len(sessions.take_ended()) == MAX_SESSIONS + 3
