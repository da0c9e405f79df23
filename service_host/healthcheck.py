"""Asks a running service for its health, for containers: `python -m service_host.healthcheck ADDRESS`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HEALTHY = 0
UNHEALTHY = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 where the service says SERVING, else 1 with one line that says why."""
    parser = argparse.ArgumentParser(prog="python -m service_host.healthcheck", description=__doc__)
    parser.add_argument("address", help='such as "127.0.0.1:50051" or "unix:/run/telecine.sock"')
    parser.add_argument("--service", default="", help="a service's full name: its admission; else liveness")
    parser.add_argument("--timeout-seconds", type=float, default=3.0)
    parser.add_argument("--ca-file", type=Path, help="use TLS and trust this authority")
    arguments = parser.parse_args(argv)
    with _channel(arguments.address, arguments.ca_file) as channel:
        request = health_pb2.HealthCheckRequest(service=arguments.service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=arguments.timeout_seconds)
        except grpc.RpcError as error:
            sys.stderr.write(f"{arguments.address}: {error.code().name}: {error.details()}\n")
            return UNHEALTHY
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return HEALTHY
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    sys.stderr.write(f"{arguments.address}: {arguments.service or 'liveness'} is {name}\n")
    return UNHEALTHY


def _channel(address: str, ca_file: Path | None) -> grpc.Channel:
    if ca_file is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca_file.read_bytes()))


if __name__ == "__main__":
    sys.exit(main())
