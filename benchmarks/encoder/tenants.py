"""What one tenant feels of another that floods the service at ten times its quota."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import google_crc32c
import grpc
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.encoder.v1 import encoder_pb2_grpc as pb_grpc

from benchmarks.context import Context
from benchmarks.measure import Figures, Finding, interleaved
from benchmarks.server import running_server

_QUOTA_BYTES_PER_SECOND = 20_000_000
_FLOODS = 4
"""Uploads at once, each of which sends as fast as it may: together far more than ten times the quota."""
_WIDTH, _HEIGHT, _FRAMES = 1280, 720, 16
_FRAME_BYTES = _WIDTH * _HEIGHT * 3
_CHUNK = bytes(1 << 20)
_CHUNK_CRC = int(google_crc32c.value(_CHUNK))
_AT_MOST = 1.25


def measure(context: Context) -> list[Finding]:
    """Hand-off time of a clip: alone, and while another tenant floods."""
    quotas = json.dumps({"flood": {"upload_bytes_per_second": _QUOTA_BYTES_PER_SECOND}})
    with running_server({"quotas.tenants": quotas}) as server:
        measured = interleaved(
            {
                "alone": lambda: _hand_off(server.address),
                "beside a flood": lambda: _beside_flood(server.address),
            },
            context.rounds,
        )
    alone = measured["alone"].median("seconds")
    beside = measured["beside a flood"].median("seconds")
    return [
        Finding(
            "hand-off beside a flood",
            f"720p, {_FRAMES} frames rgb24, {_FLOODS} uploads of another tenant at 10 x its quota",
            ours=f"{beside * 1000:.0f} ms",
            against=f"{alone * 1000:.0f} ms",
            ratio=f"{beside / alone:.2f} x",
            target=f"<= {_AT_MOST:g} x",
            is_reached=beside / alone <= _AT_MOST,
            note="against the same tenant alone, paired rounds",
        )
    ]


def _beside_flood(address: str) -> Figures:
    with _flooding(address):
        return _hand_off(address)


def _hand_off(address: str) -> Figures:
    """Seconds from the call to the acknowledgement of the whole clip; the job is cancelled then."""
    job_id, metadata = f"clip-{uuid.uuid4().hex}", (("telecine-tenant", "acme"),)
    with grpc.insecure_channel(address) as channel:
        stub = pb_grpc.EncoderServiceStub(channel)
        begin = time.perf_counter()
        for answer in stub.Encode(_requests(job_id, _FRAMES), metadata=metadata, timeout=120):
            if answer.acknowledged.is_complete:
                break
        seconds = time.perf_counter() - begin
        stub.CancelJob(pb.CancelJobRequest(job_id=job_id), metadata=metadata)
    return {"seconds": seconds}


@contextmanager
def _flooding(address: str) -> Iterator[None]:
    """Other uploads that never end, of a tenant with a quota, until the block is left."""
    calls: list[grpc.RpcContext] = []
    channels = [grpc.insecure_channel(address) for _ in range(_FLOODS)]
    threads = [threading.Thread(target=_flood, args=(channel, calls), daemon=True) for channel in channels]
    for thread in threads:
        thread.start()
    while len(calls) < _FLOODS:
        time.sleep(0.01)
    time.sleep(1.5)  # the burst that the quota lets through at once is over
    try:
        yield
    finally:
        for call in calls:
            call.cancel()
        for thread in threads:
            thread.join()
        for channel in channels:
            channel.close()


def _flood(channel: grpc.Channel, calls: list[grpc.RpcContext]) -> None:
    requests = _requests(f"flood-{uuid.uuid4().hex}", 5000)
    call = pb_grpc.EncoderServiceStub(channel).Encode(requests, metadata=(("telecine-tenant", "flood"),))
    calls.append(call)
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        return


def _requests(job_id: str, frames: int) -> Iterator[pb.EncodeRequest]:
    spec = pb.JobSpec(job_id=job_id, outputs=[pb.OutputSpec(format="mp4", quality=pb.QUALITY_DRAFT)])
    spec.video.width, spec.video.height = _WIDTH, _HEIGHT
    spec.video.pixel_format, spec.video.frame_rate.numerator = pb.PIXEL_FORMAT_RGB24, 24
    yield pb.EncodeRequest(spec=spec)
    total = frames * _FRAME_BYTES
    for offset in range(0, total, len(_CHUNK)):
        data, crc = _CHUNK, _CHUNK_CRC
        if total - offset < len(_CHUNK):
            data = _CHUNK[: total - offset]
            crc = int(google_crc32c.value(data))
        chunk = pb.Chunk(track=pb.TRACK_VIDEO, offset=offset, data=data, crc32c=crc)
        yield pb.EncodeRequest(chunk=chunk)
    yield pb.EncodeRequest(finish=pb.Finish(total_frames=frames, total_bytes=total))
