"""What the service and the zygote say to each other: one datagram of JSON each, some with descriptors."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import msgspec

from encoder_service.evidence.facts import Walls

MESSAGE_BYTES = 64 << 10
_DESCRIPTORS = 3


class Fork(msgspec.Struct, frozen=True, tag="fork"):
    """Start a worker. Comes with three descriptors: its orders, its events and its standard error."""

    number: int
    """The answer bears it."""
    memory_bytes: int = 0
    """Memory of its own that the worker may take before it is killed. 0: no bound."""


Request = Fork


class ZygoteReady(msgspec.Struct, frozen=True, tag="ready"):
    """Everything is imported; workers can be asked for."""

    pid: int
    walls: Walls = Walls()
    """As a worker that tried them found them."""


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """The worker runs. Comes with its pidfd, where the kernel has them."""

    number: int
    pid: int


class NotForked(msgspec.Struct, frozen=True, tag="not_forked"):
    """The worker could not be started."""

    number: int
    reason: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A worker ended and was reaped."""

    pid: int
    exit_code: int
    """Negative: the signal that killed it."""
    memory_bytes: int = 0
    """What it had taken when it was killed for that; 0: it was not."""
    threads: int = 0
    """How many it had when it was killed for that; 0: it was not."""


Report = ZygoteReady | Forked | NotForked | Ended

_encoder = msgspec.json.Encoder()


def send(connection: socket.socket, message: Request | Report, descriptors: Sequence[int] = ()) -> None:
    """Sends one message. Raises OSError."""
    socket.send_fds(connection, [_encoder.encode(message)], list(descriptors))


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Returns one message and the descriptors that came with it; no bytes: the other side is gone."""
    data, descriptors, _, _ = socket.recv_fds(
        connection, MESSAGE_BYTES, _DESCRIPTORS, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    )
    return data, descriptors
