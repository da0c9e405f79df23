"""A client that froze, and so will never say goodbye, is noticed and its stream ended."""

from __future__ import annotations

import signal
import subprocess
import sys

from service_host.host import Host, running
from service_host.settings.host_config import HostConfig, KeepaliveConfig
from tests.eventually import eventually_async
from tests.service_host.tiny_service import NAME, TinyService

CLIENT = f"""
import sys, grpc
channel = grpc.insecure_channel(sys.argv[1])
def requests():
    yield b""
    sys.stdin.read()
for _ in channel.stream_stream("/{NAME}/Talk")(requests()):
    print("open", flush=True)
"""


async def test_the_stream_of_a_frozen_client_is_cancelled_in_seconds():
    service = TinyService()
    keepalive = KeepaliveConfig(time_seconds=1, timeout_seconds=1)
    async with running(Host(service, HostConfig(keepalive=keepalive, stop_grace_seconds=0))) as listening:
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, listening.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        try:
            await eventually_async(lambda: service.open_streams == 1)
            client.send_signal(signal.SIGSTOP)
            await eventually_async(lambda: service.open_streams == 0, timeout_seconds=30)
        finally:
            client.kill()
            client.wait()
            client.stdin.close()
