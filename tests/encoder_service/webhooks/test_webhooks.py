"""A real service tells a real listener about its jobs: signed, at least once, at no job's expense."""

from __future__ import annotations

import hashlib
import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
import trustme
from standardwebhooks.webhooks import WebhookVerificationError
from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.webhooks.post import PostError, post
from tests.encoder_service import raw_client as raw
from tests.encoder_service.server_process import ServerProcess
from tests.encoder_service.webhooks.listener import ALLOWED, OTHER_SECRET, SECRET, Listener
from tests.eventually import eventually_async

CLIP = raw.clip(6)
ALL_EVENTS = [pb.WEBHOOK_EVENT_JOB_RECEIVED, pb.WEBHOOK_EVENT_OUTPUT_ENDED, pb.WEBHOOK_EVENT_JOB_ENDED]

Maker = Callable[..., ServerProcess]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Maker]:
    servers: list[ServerProcess] = []

    def make(**settings: str) -> ServerProcess:
        keys = {key.replace("__", "."): value for key, value in settings.items()}
        servers.append(ServerProcess(tmp_path / f"data{len(servers)}", {"workers": "1", **ALLOWED, **keys}))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
        server.assert_no_orphans()


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One service for all tests that need no settings of their own."""
    server = ServerProcess(tmp_path_factory.mktemp("telling") / "data", ALLOWED).start()
    yield server
    assert server.stop() == 0


def hook(url: str, *events: pb.WebhookEvent.ValueType) -> pb.Webhook:
    return pb.Webhook(url=url, events=events)


async def encode(
    server: ServerProcess, job_id: str, *hooks: pb.Webhook, outputs: tuple[str, ...] = ("mp4",)
) -> raw.Heard:
    async with grpc.aio.insecure_channel(server.address) as channel:
        return await raw.RawClient(channel).encode(raw.spec(job_id, *outputs, webhooks=hooks), CLIP)


async def refused(server: ServerProcess, *hooks: pb.Webhook) -> list[str]:
    """The fields that the server finds wrong in a spec with these webhooks."""
    async with (
        grpc.aio.insecure_channel(server.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.open(raw.spec("refused", webhooks=hooks))
    return raw.fields(failed.value)


def metric(server: ServerProcess, name: str) -> float:
    """A counter of the service."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


# --- what is told --------------------------------------------------------------------------------


async def test_a_receiver_is_sent_what_it_asked_for_and_can_verify_it(telling: ServerProcess) -> None:
    with Listener() as listener:
        heard = await encode(telling, "told", hook(listener.url, *ALL_EVENTS), outputs=("mp4", "webm"))
        await eventually_async(lambda: len(listener.deliveries) == 4)
    told = {delivery.event for delivery in listener.deliveries}
    assert told == {"job.received", "output.ended", "job.ended"}
    assert all(delivery.verified() for delivery in listener.deliveries)
    assert len({delivery.webhook_id for delivery in listener.deliveries}) == 4
    ended = next(delivery.data for delivery in listener.deliveries if delivery.event == "job.ended")
    assert ended["job_id"] == "told"
    assert ended["state"] == "succeeded"
    assert heard.result is not None
    artifacts = {file["path"]: file for output in ended["outputs"] for file in output["artifacts"]}
    for path, data in heard.files.items():
        assert artifacts[path]["sha256"] == hashlib.sha256(data).hexdigest()
        assert artifacts[path]["size_bytes"] == len(data)


async def test_without_events_only_the_end_is_reported(telling: ServerProcess) -> None:
    with Listener() as listener:
        await encode(telling, "end-only", hook(listener.url))
        await eventually_async(lambda: listener.deliveries)
        await eventually_async(lambda: not list((telling.data_dir / "webhooks").iterdir()))
    assert listener.events() == ["job.ended"]


async def test_a_failed_output_is_reported_with_its_reason(telling: ServerProcess) -> None:
    with Listener() as listener:
        bad = pb.OutputSpec(format="webm", scale=pb.Scale(width=64, height=48), options={"maxrate": "2M"})
        async with grpc.aio.insecure_channel(telling.address) as channel:
            spec = raw.spec("broken", bad, "webm", webhooks=[hook(listener.url)])
            await raw.RawClient(channel).encode(spec, CLIP)
        await eventually_async(lambda: listener.deliveries)
    data = listener.deliveries[0].data
    assert data["state"] == "partially_succeeded"
    assert data["outputs"][0]["problem"]["code"]
    assert data["outputs"][1]["problem"] is None


async def test_a_cancelled_job_is_reported_too(telling: ServerProcess) -> None:
    with Listener() as listener:
        async with grpc.aio.insecure_channel(telling.address) as channel:
            client = raw.RawClient(channel)
            async with client.stream() as stream:
                await stream.open(raw.spec("called-off", webhooks=[hook(listener.url)]))
                await client.stub.CancelJob(pb.CancelJobRequest(job_id="called-off"))
        await eventually_async(lambda: listener.deliveries)
    assert listener.deliveries[0].data["state"] == "cancelled"
    assert listener.deliveries[0].data["problem"]["code"] == "JOB_CANCELLED"


async def test_an_endpoint_of_the_configuration_is_notified_of_every_job(make_server: Maker) -> None:
    with Listener() as listener:
        endpoints = json.dumps([{"url": listener.url, "events": ["job.ended"], "secret": OTHER_SECRET}])
        server = make_server(
            webhooks__endpoints=endpoints, webhooks__secret="", webhooks__allowed_networks=""
        ).start()
        await encode(server, "one")
        await encode(server, "two")
        await eventually_async(lambda: len(listener.deliveries) == 2)
    assert [delivery.verified(OTHER_SECRET)["data"]["job_id"] for delivery in listener.deliveries] == [
        "one",
        "two",
    ]
    with pytest.raises(WebhookVerificationError):
        listener.deliveries[0].verified(SECRET)


async def test_both_secrets_sign_while_receivers_change_over(make_server: Maker) -> None:
    with Listener() as listener:
        server = make_server(webhooks__previous_secret=OTHER_SECRET).start()
        await encode(server, "two-keys", hook(listener.url))
        await eventually_async(lambda: listener.deliveries)
    assert listener.deliveries[0].verified(SECRET)
    assert listener.deliveries[0].verified(OTHER_SECRET)


# --- stubbornly, and never at a job's expense ----------------------------------------------------


@pytest.mark.parametrize("trouble", [500, 429, 302, 404, "cut"])
async def test_trouble_is_tried_again_under_the_same_id(telling: ServerProcess, trouble: int | str) -> None:
    with Listener(trouble, trouble) as listener:
        await encode(telling, f"again-{trouble}", hook(listener.url))
        await eventually_async(lambda: len(listener.deliveries) == 3)
        await eventually_async(lambda: not list((telling.data_dir / "webhooks").iterdir()))
    assert len({delivery.webhook_id for delivery in listener.deliveries}) == 1
    assert len({delivery.body for delivery in listener.deliveries}) == 1
    assert listener.deliveries[-1].verified()


async def test_a_receiver_that_hangs_delays_neither_jobs_nor_other_receivers(make_server: Maker) -> None:
    with Listener("hang", "hang") as slow, Listener() as quick:
        server = make_server(webhooks__timeout_seconds="20s", webhooks__deliveries_at_once="2").start()
        for number in range(3):
            heard = await encode(server, f"job-{number}", hook(slow.url), hook(quick.url))
            assert heard.result is not None
        await eventually_async(lambda: len(quick.deliveries) == 3)
        assert len(slow.deliveries) == 1
        slow.release()


async def test_gone_means_never_again(telling: ServerProcess) -> None:
    with Listener(410) as listener:
        await encode(telling, "gone", hook(listener.url))
        await eventually_async(lambda: listener.deliveries)
        await eventually_async(lambda: not list((telling.data_dir / "webhooks").iterdir()))
        await eventually_async(lambda: "410 Gone" in telling.log())
    assert len(listener.deliveries) == 1


async def test_what_nobody_takes_is_given_up_in_the_open(make_server: Maker) -> None:
    with Listener(*[503] * 1000) as listener:
        server = make_server(
            webhooks__give_up_after_seconds="2s", webhooks__first_retry_seconds="100ms"
        ).start()
        await encode(server, "in-vain", hook(listener.url))
        await eventually_async(lambda: "webhook given up" in server.log())
        await eventually_async(lambda: not list((server.data_dir / "webhooks").iterdir()))
        assert metric(server, 'telecine_encoder_webhooks_total{result="given_up"}') == 1
    assert len(listener.deliveries) >= 2


async def test_too_many_pending_give_up_the_oldest(make_server: Maker) -> None:
    with Listener(*[503] * 1000) as listener:
        server = make_server(
            webhooks__max_pending="2", webhooks__first_retry_seconds="60s", webhooks__max_retry_seconds="60s"
        ).start()
        for number in range(3):
            await encode(server, f"many-{number}", hook(listener.url))
            await eventually_async(lambda: len(listener.deliveries) > number)  # noqa: B023 - awaited in this round
        await eventually_async(lambda: "max_pending" in server.log())
        await eventually_async(lambda: len(list((server.data_dir / "webhooks").iterdir())) == 2)


# --- over the death of the service ---------------------------------------------------------------


@pytest.mark.parametrize("point", ["end_recorded", "manifest_renamed", "webhooks_promised", "spool_removed"])
async def test_a_service_killed_between_end_and_delivery_still_delivers(
    make_server: Maker, point: str
) -> None:
    with Listener() as listener:
        server = make_server().start({"TELECINE_FAULT": f"kill_at:{point}"})
        with pytest.raises(grpc.aio.AioRpcError):
            await encode(server, "killed", hook(listener.url))
        assert server.wait() == -9
        assert listener.deliveries == []
        server.start()
        await eventually_async(lambda: listener.deliveries)
        await eventually_async(lambda: not list((server.data_dir / "webhooks").iterdir()))
    assert listener.events() == ["job.ended"]
    assert listener.deliveries[0].verified()["data"]["state"] == "succeeded"


async def test_a_service_killed_during_a_delivery_delivers_again_under_the_same_id(
    make_server: Maker,
) -> None:
    with Listener("hang") as listener:
        server = make_server().start()
        await encode(server, "interrupted", hook(listener.url))
        await eventually_async(lambda: listener.deliveries)
        server.kill()
        listener.release()
        server.start()
        await eventually_async(lambda: len(listener.deliveries) == 2)
    assert len({delivery.webhook_id for delivery in listener.deliveries}) == 1


async def test_what_a_job_has_done_before_a_kill_is_reported_after_it(make_server: Maker) -> None:
    """The output had ended, the job had not: whoever asked for both is told of both."""
    with Listener() as listener:
        server = make_server().start({"TELECINE_FAULT": "kill_at:evidence_recorded"})
        hooks = hook(listener.url, *ALL_EVENTS)
        with pytest.raises(grpc.aio.AioRpcError):
            await encode(server, "half", hooks, outputs=("mp4", "webm"))
        server.wait()
        server.start()
        await eventually_async(lambda: "job.ended" in listener.events(), 30)
        await eventually_async(
            lambda: len({d.webhook_id for d in listener.deliveries if d.event == "output.ended"}) == 2
        )
    assert "job.received" in listener.events()


async def test_a_drain_waits_for_first_tries(make_server: Maker) -> None:
    with Listener() as listener:
        server = make_server().start()
        await encode(server, "last", hook(listener.url))
        assert server.stop() == 0
    assert listener.events() == ["job.ended"]


# --- where it may go, and what stays secret ------------------------------------------------------


async def test_by_default_a_job_cannot_reach_into_this_network(make_server: Maker) -> None:
    """A literal address is refused at once; a name when it is looked up."""
    with Listener() as listener:
        server = make_server(webhooks__allowed_networks="").start()
        for host in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
            assert await refused(server, hook(f"http://{host}:{listener.port}/")) == ["spec.webhooks[0].url"]
        await encode(server, "inward", hook(f"http://localhost:{listener.port}/"))
        await eventually_async(lambda: "localhost is no public address" in server.log())
    assert listener.deliveries == []


async def test_over_https_the_receivers_certificate_must_be_trusted(
    make_server: Maker, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    trusting = make_server(webhooks__allows_plain_http="false", webhooks__ca_file=str(tmp_path / "roots.pem"))
    doubting = make_server(webhooks__allows_plain_http="false", webhooks__give_up_after_seconds="200ms")
    with Listener() as listener:
        listener._server.socket = context.wrap_socket(listener._server.socket, server_side=True)
        url = listener.url.replace("http:", "https:")
        await encode(trusting.start(), "trusted", hook(url))
        await eventually_async(lambda: listener.events() == ["job.ended"])
        assert listener.deliveries[0].verified()
        await encode(doubting.start(), "doubted", hook(url))
        await eventually_async(lambda: "certificate" in doubting.log())
        assert listener.events() == ["job.ended"]


async def test_a_certificate_is_shown_to_endpoints_alone(tmp_path: Path) -> None:
    """A host that a job names learns nothing of the service."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    issued = authority.issue_cert("encoder")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    names = {"ca_file": "roots.pem", "cert_file": "cert.pem", "key_file": "key.pem"}
    config = WebhooksConfig(**{field: tmp_path / name for field, name in names.items()})
    with Listener() as listener:
        listener._server.socket = context.wrap_socket(listener._server.socket, server_side=True)
        url = listener.url.replace("http:", "https:")

        async def sent(*, is_endpoint: bool) -> int:
            tls = config.tls(is_endpoint=is_endpoint)
            answer = await post(url, {}, b"{}", timeout_seconds=5, allowed_networks=None, tls=tls)
            return answer.status

        assert await sent(is_endpoint=True) == 204
        with pytest.raises(PostError):
            await sent(is_endpoint=False)


async def test_redirects_are_not_followed(telling: ServerProcess) -> None:
    with Listener() as inner, Listener(307, 307, headers={"Location": inner.url}) as outer:
        await encode(telling, "redirected", hook(outer.url))
        await eventually_async(lambda: len(outer.deliveries) == 3)
    assert inner.deliveries == []


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://example.com/x", 'must begin with "https://"'),
        ("https:///x", 'must begin with "https://"'),
        ("https://me:pw@example.com/", "user or a password"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com/ x", "ASCII without blanks"),
        ("https://example.com:99999/", "is no URL"),
        ("https://example.com/" + "x" * 2000, "at most 2000"),
    ],
)
async def test_a_url_that_cannot_be_is_refused_with_the_spec(
    telling: ServerProcess, url: str, fault: str
) -> None:
    async with (
        grpc.aio.insecure_channel(telling.address) as channel,
        raw.RawClient(channel).stream() as stream,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stream.open(raw.spec("refused", webhooks=[hook(url)]))
    assert raw.fields(failed.value) == ["spec.webhooks[0].url"]
    assert fault in str(failed.value.details())


async def test_a_server_takes_only_hosts_that_it_allows_and_https_unless_told_otherwise(
    make_server: Maker,
) -> None:
    server = make_server(webhooks__allowed_hosts="*.example.com", webhooks__allows_plain_http="false").start()
    assert await refused(server, hook("https://example.org/")) == ["spec.webhooks[0].url"]
    assert await refused(server, hook("http://a.example.com/")) == ["spec.webhooks[0].url"]
    assert await refused(server, hook("https://a.example.com/"), hook("https://a.example.com/")) == [
        "spec.webhooks"
    ]


async def test_a_server_without_a_secret_takes_no_webhooks(server: ServerProcess) -> None:
    assert await refused(server, hook("https://example.com/")) == ["spec.webhooks"]


async def test_neither_secret_nor_path_of_a_url_stands_in_any_log_or_page(make_server: Maker) -> None:
    with Listener(500) as listener:
        server = make_server().start()
        await encode(server, "discreet", hook(listener.url))
        await eventually_async(lambda: len(listener.deliveries) == 2)
        with urllib.request.urlopen(f"http://{server.admin}/config", timeout=10) as page:
            shown = page.read().decode()
        await eventually_async(lambda: "webhook delivered" in server.log())
    logs = [path.read_text() for path in server.data_dir.rglob("*.log")]
    manifest = (server.job_directory("discreet") / "manifest.json").read_text()
    for text in (server.log(), shown, manifest, *logs):
        assert SECRET not in text
        assert "hush-hush" not in text
    outbox = server.data_dir / "webhooks"
    assert list(outbox.iterdir()) == []
