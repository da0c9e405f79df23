"""What a service promises to its host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the encoder's workers get here too, and may have no gRPC: they are forked
    import grpc.aio


class HostedService(Protocol):
    """One gRPC service with its state. Everything is called on the host's event loop.

    Order: `register` once, before the port opens; `start` once; `is_admitting` at any time after
    `start`; `drain` at most once; `close` once, always last, also when `start` failed half-way.
    The host owns the server and its port; the service owns all else that it opened, its tasks included.
    """

    @property
    def name(self) -> str:
        """The full name of the gRPC service, such as "telecine.encoder.v1.EncoderService".

        It is the health name under which admission is reported; the name "" is for liveness.
        """
        ...

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the servicers to the server. Must not block, open or start anything."""
        ...

    async def start(self) -> None:
        """Opens files, recovers what a former process left, starts background work.

        The port is bound already but answers nothing until this returns. Whatever it raises ends the
        process with that one message; a `StartError` is shown without its traceback.
        """
        ...

    def is_admitting(self) -> bool:
        """Whether new work is welcome now. Polled, so it must be cheap and must not block."""
        ...

    async def drain(self, deadline_seconds: float) -> None:
        """Takes no new work, asks open streams to go elsewhere, finishes or parks what runs.

        Health is NOT_SERVING already; calls are still answered. Returns at the deadline at the latest:
        whatever is not done by then must be safe to take up again by the next process.
        """
        ...

    async def close(self) -> None:
        """Releases everything; the server is stopped by now and no call runs any more. Idempotent."""
        ...
