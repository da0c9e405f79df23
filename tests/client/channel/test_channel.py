"""The door to gRPC against a small real server that answers what the test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import structlog
import trustme
from telecine import exceptions as errors
from telecine.channel import calls
from telecine.channel.arguments import Target, channel_options
from telecine.channel.asynchronous import AsyncChannel
from telecine.channel.blocking import BlockingChannel
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.encoder.v1 import encoder_pb2_grpc as pb_grpc
from telecine.request.options import KeepAlive, Tls


class Told(pb_grpc.EncoderServiceServicer):
    """Remembers the metadata of calls; GetJob hangs on the job "slow", and refuses the job "bad"."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, str]] = []
        self.released = threading.Event()

    def GetJob(self, request, context):  # noqa: N802 -- the rpc's name
        self.metadata.append(dict(context.invocation_metadata()))
        if request.job_id == "slow":
            self.released.wait(20)
        if request.job_id == "bad":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "later")
        return pb.GetJobResponse(job=pb.Job(job_id=request.job_id, state=pb.JOB_STATE_QUEUED))

    def Encode(self, request_iterator, context):  # noqa: N802 -- the rpc's name
        self.metadata.append(dict(context.invocation_metadata()))
        for request in request_iterator:
            yield pb.EncodeResponse(accepted=pb.Accepted(job_id=request.spec.job_id))


@pytest.fixture
def told() -> Iterator[tuple[Told, str]]:
    servicer = Told()
    server = grpc.server(ThreadPoolExecutor(4))
    pb_grpc.add_EncoderServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    servicer.released.set()
    server.stop(0).wait()


SPEC = pb.EncodeRequest(spec=pb.JobSpec(job_id="j")).SerializeToString()


def test_every_call_carries_its_request_id(told: tuple[Told, str]) -> None:
    servicer, address = told
    channel = BlockingChannel(Target(address))
    channel.call(calls.GET_JOB, pb.GetJobRequest(job_id="x"), 5.0, "request-1")
    assert [answer.accepted.job_id for answer in channel.encode(iter([SPEC]), "request-2")] == ["j"]
    assert [entry["x-request-id"] for entry in servicer.metadata] == ["request-1", "request-2"]
    assert all("telecine-python" in entry["user-agent"] for entry in servicer.metadata)
    channel.close()


async def test_the_asyncio_door_carries_it_too(told: tuple[Told, str]) -> None:
    servicer, address = told
    channel = AsyncChannel(Target(address))
    await channel.call(calls.GET_JOB, pb.GetJobRequest(job_id="x"), 5.0, "request-1")
    stream = channel.encode("request-2")
    await stream.write(SPEC)
    async for answer in stream:
        assert answer.accepted.job_id == "j"
        break
    stream.cancel()
    assert [entry["x-request-id"] for entry in servicer.metadata] == ["request-1", "request-2"]
    await channel.close()


def test_a_call_without_an_answer_ends_at_its_deadline(told: tuple[Told, str]) -> None:
    channel = BlockingChannel(Target(told[1]))
    with pytest.raises(errors.TimedOutError) as caught:
        channel.call(calls.GET_JOB, pb.GetJobRequest(job_id="slow"), 0.1, "r")
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    channel.close()


async def test_errors_are_ours_and_keep_their_cause(told: tuple[Told, str]) -> None:
    blocking, asynchronous = BlockingChannel(Target(told[1])), AsyncChannel(Target(told[1]))
    with pytest.raises(errors.ExhaustedError, match="later") as caught:
        blocking.call(calls.GET_JOB, pb.GetJobRequest(job_id="bad"), 5.0, "r")
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    with pytest.raises(errors.ExhaustedError, match="later"):
        await asynchronous.call(calls.GET_JOB, pb.GetJobRequest(job_id="bad"), 5.0, "r")
    blocking.close()
    await asynchronous.close()


async def test_a_cancelled_stream_ends_with_an_error_and_not_with_the_task(told: tuple[Told, str]) -> None:
    blocking, asynchronous = BlockingChannel(Target(told[1])), AsyncChannel(Target(told[1]))
    waits = threading.Event()
    stream = blocking.encode((SPEC for _ in iter(waits.wait, False)), "r")
    stream.cancel()
    with pytest.raises(errors.UnavailableError):
        next(stream)
    waits.set()
    other = asynchronous.encode("r")
    await other.write(SPEC)

    async def read_and_cancel() -> None:
        async for _ in other:
            other.cancel()

    with pytest.raises(errors.UnavailableError):
        await read_and_cancel()
    blocking.close()
    await asynchronous.close()


def test_the_request_id_of_the_logging_context_is_taken() -> None:
    with structlog.contextvars.bound_contextvars(request_id="bound"):
        assert calls.current_request_id() == "bound"
    assert len(calls.current_request_id()) == 32


def test_the_channel_notices_a_dead_server() -> None:
    options = dict(channel_options(Target("127.0.0.1:1", keep_alive=KeepAlive(interval_seconds=15))))
    assert options["grpc.keepalive_time_ms"] == 15_000
    assert options["grpc.http2.ping_timeout_ms"] == options["grpc.keepalive_timeout_ms"] == 10_000
    assert options["grpc.enable_http_proxy"] == 0
    assert "grpc.enable_http_proxy" not in dict(channel_options(Target("dns:///encoder:50051")))


def test_a_certificate_that_cannot_be_read_is_named() -> None:
    with pytest.raises(errors.InvalidRequestError, match=r"tls\.ca_file"):
        BlockingChannel(Target("host:1", tls=Tls(ca_file="/no/such.pem")))


@pytest.mark.parametrize(
    ("wrong", "field", "expected"),
    [
        ("other key", "tls.key_file", "expected the key of the certificate"),
        ("no key", "tls.key_file", "one beside"),
        ("no pem", "tls.ca_file", "in PEM"),
        ("gone", "tls.ca_file", "cannot be read"),
        ("garbage key", "tls.key_file", "in PEM"),
    ],
)
def test_files_of_tls_that_do_not_fit_are_refused_before_anybody_is_called(
    wrong: str, field: str, expected: str, tmp_path: Path
) -> None:
    authority = trustme.CA()
    issued, other = authority.issue_cert("a"), authority.issue_cert("b")
    key = other.private_key_pem if wrong == "other key" else issued.private_key_pem
    (tmp_path / "ca").write_bytes(b"no" if wrong == "no pem" else authority.cert_pem.bytes())
    (tmp_path / "key").write_bytes(b"no" if wrong == "garbage key" else key.bytes())
    (tmp_path / "cert").write_bytes(issued.cert_chain_pems[0].bytes())
    tls = Tls(
        ca_file=str(tmp_path / ("gone" if wrong == "gone" else "ca")),
        key_file=None if wrong == "no key" else str(tmp_path / "key"),
        cert_file=str(tmp_path / "cert"),
    )
    with pytest.raises(errors.InvalidRequestError, match=expected) as raised:
        BlockingChannel(Target("localhost:1", tls))
    assert raised.value.faults[0].field == field
