"""Delivers webhooks beside all jobs: promised on disk first, tried until taken or given up, with an error.

Each delivery has a due time; those due longest go first, but no receiver gets more than half of the places,
so that one which hangs does not keep the others waiting.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import structlog

from encoder_service.clock import Clock
from encoder_service.metrics import EncoderMetrics
from encoder_service.spec.spec import WebhookEvent
from encoder_service.store.record import JobRecord, tenant_field
from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.webhooks.delivery import WebhookDelivery, after_failure, deliveries_for
from encoder_service.webhooks.destination import host_of, is_host_allowed, receiver_of
from encoder_service.webhooks.outbox import Outbox
from encoder_service.webhooks.post import Answer, PostError, post
from encoder_service.webhooks.signature import signed_headers

_IDLE_SECONDS = 1.0
_GONE = 410
_LOGGED_ATTEMPTS = 3

Persist = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs blocking work on a job's files in a thread, again and again while the disk refuses it."""


class WebhookDispatcher:
    """Lives on the event loop. `config` may be replaced while it runs."""

    def __init__(
        self,
        outbox: Outbox,
        config: WebhooksConfig,
        clock: Clock,
        metrics: EncoderMetrics,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.config = config
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._pending: dict[str, WebhookDelivery] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    # --- what jobs owe ---------------------------------------------------------------------------

    async def promise(
        self, record: JobRecord, event: WebhookEvent, persist: Persist, output: str = ""
    ) -> tuple[WebhookDelivery, ...]:
        """Puts on the disk what is owed for an event; it is sent by `send`, or after the next start.

        Again is the same as once. `persist` writes it; a disk that refuses is asked again.
        """
        deliveries = deliveries_for(record, event, output, self.config, self._clock.unix_nano())
        if deliveries:
            await persist(partial(self._outbox.put, deliveries))
        return deliveries

    def send(self, deliveries: Iterable[WebhookDelivery]) -> None:
        """Begins to deliver what was promised."""
        for delivery in deliveries:
            self._pending.setdefault(delivery.delivery_id, delivery)
        self._make_room()
        self._news.set()

    async def notify(
        self, record: JobRecord, event: WebhookEvent, persist: Persist, output: str = ""
    ) -> None:
        """`promise` and `send`."""
        self.send(await self.promise(record, event, persist, output))

    async def catch_up(self, record: JobRecord, persist: Persist) -> None:
        """Promises again what a former process may have missed to promise about a job that goes on."""
        if record.is_complete:
            await self.notify(record, WebhookEvent.JOB_RECEIVED, persist)
        for name, output in record.outputs.items():
            if output.state.is_final:
                await self.notify(record, WebhookEvent.OUTPUT_ENDED, persist, name)

    @property
    def pending_count(self) -> int:
        """Notices that nobody has taken yet."""
        return len(self._pending)

    @property
    def has_untried(self) -> bool:
        """Whether there is a delivery whose first try is not over."""
        return any(not delivery.attempts for delivery in self._pending.values())

    # --- life ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Takes up what a former process left. Raises OSError."""
        found = await asyncio.to_thread(list, self._outbox.open())
        for entry in found:
            if isinstance(entry, WebhookDelivery):
                self._pending[entry.delivery_id] = entry
            else:
                path, reason = entry
                self._log.error("a webhook cannot be read; it is left alone", path=str(path), error=reason)
        if self._pending:
            self._log.info("webhooks taken up", count=len(self._pending))

    async def run(self) -> None:
        """Delivers until cancelled; what is under way then is tried again after the next start."""
        try:
            while True:
                self._news.clear()
                self._begin_due()
                try:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    # --- delivering ------------------------------------------------------------------------------

    def _begin_due(self) -> None:
        now = self._clock.unix_nano()
        busy = [receiver_of(self._pending[key].url) for key in self._under_way if key in self._pending]
        for delivery in choose(
            self._pending.values(), set(self._under_way), busy, now, self.config.deliveries_at_once
        ):
            task = asyncio.create_task(self._deliver(delivery))
            self._under_way[delivery.delivery_id] = task
            task.add_done_callback(partial(self._delivered, delivery.delivery_id))

    def _delivered(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(delivery_id, None)
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a webhook's task failed", exc_info=error)

    async def _deliver(self, delivery: WebhookDelivery) -> None:
        try:
            answer = await self._post(delivery)
        except PostError as error:
            await self._failed(delivery, str(error), 0.0)
            return
        if 200 <= answer.status < 300:
            self._metrics.webhooks.labels("delivered").inc()
            self._of(delivery).info("webhook delivered", attempt=delivery.attempts, status=answer.status)
            await self._forget(delivery)
        elif answer.status == _GONE:
            await self._give_up(delivery, "the receiver answered 410 Gone")
        else:
            await self._failed(delivery, f"the receiver answered {answer.status}", answer.retry_after_seconds)

    async def _post(self, delivery: WebhookDelivery) -> Answer:
        config = self.config
        is_ours = config.is_endpoint(delivery.url)
        if not is_ours and not is_host_allowed(host_of(delivery.url), config.allowed_hosts):
            raise PostError("the host is none of webhooks.allowed_hosts any more")
        keys = config.keys(delivery.url)
        if not keys:
            raise PostError("there is no secret to sign with (webhooks.secret)")
        body = delivery.body.encode()
        seconds = self._clock.unix_nano() // 1_000_000_000
        headers = signed_headers(keys, delivery.delivery_id, seconds, body)
        return await post(
            delivery.url,
            {**headers, "content-type": "application/json", "user-agent": "telecine-webhooks"},
            body,
            timeout_seconds=config.timeout_seconds,
            allowed_networks=None if is_ours else config.allowed_networks,
            tls=config.tls(is_endpoint=is_ours),
        )

    async def _failed(self, delivery: WebhookDelivery, reason: str, asked_seconds: float) -> None:
        self._metrics.webhooks.labels("failed").inc()
        now = self._clock.unix_nano()
        later = after_failure(delivery, self.config, now, random.random(), asked_seconds)  # noqa: S311 - jitter
        if later is None:
            await self._give_up(delivery, reason)
            return
        # A dead receiver must not fill the log: after a few tries only the end is worth an entry.
        say = self._of(delivery).warning if later.attempts <= _LOGGED_ATTEMPTS else self._of(delivery).debug
        say(
            "webhook not delivered",
            stage="retry:decision",
            attempt=delivery.attempts,
            reason=reason,
            retry_seconds=round((later.due_at_unix_nano - now) / 1e9, 1),
        )
        if delivery.delivery_id in self._pending:
            self._pending[delivery.delivery_id] = later
            await self._on_disk(delivery, partial(self._outbox.put, [later]))

    async def _give_up(self, delivery: WebhookDelivery, reason: str) -> None:
        self._metrics.webhooks.labels("given_up").inc()
        self._of(delivery).error("webhook given up", attempt=delivery.attempts, reason=reason)
        await self._forget(delivery)

    async def _forget(self, delivery: WebhookDelivery) -> None:
        self._pending.pop(delivery.delivery_id, None)
        await self._on_disk(delivery, partial(self._outbox.remove, delivery))

    async def _on_disk(self, delivery: WebhookDelivery, act: partial[None]) -> None:
        try:
            await asyncio.to_thread(act)
        except OSError as error:
            # At worst the next process sends it once more, under the same id.
            self._of(delivery).error("the outbox cannot be written", error=str(error))

    def _make_room(self) -> None:
        superfluous = len(self._pending) - self.config.max_pending
        oldest = [delivery for key, delivery in self._pending.items() if key not in self._under_way]
        for delivery in oldest[: max(0, superfluous)]:
            self._pending.pop(delivery.delivery_id)
            task = asyncio.create_task(self._give_up(delivery, "too many webhooks are pending (max_pending)"))
            self._under_way[delivery.delivery_id] = task
            task.add_done_callback(partial(self._delivered, delivery.delivery_id))

    def _of(self, delivery: WebhookDelivery) -> structlog.typing.FilteringBoundLogger:
        bound: structlog.typing.FilteringBoundLogger = self._log.bind(
            job_id=delivery.job_id,
            **tenant_field(delivery.tenant),
            webhook_id=delivery.delivery_id,
            webhook_event=delivery.event.value,
            webhook_host=host_of(delivery.url),
        )
        return bound


def choose(
    pending: Iterable[WebhookDelivery],
    under_way: set[str],
    busy_receivers: list[str],
    now_unix_nano: int,
    places: int,
) -> list[WebhookDelivery]:
    """Which deliveries to begin now: due longest first, each receiver in half of the places at most. Pure."""
    counts: dict[str, int] = {}
    for receiver in busy_receivers:
        counts[receiver] = counts.get(receiver, 0) + 1
    due = [n for n in pending if n.due_at_unix_nano <= now_unix_nano and n.delivery_id not in under_way]
    chosen: list[WebhookDelivery] = []
    for delivery in sorted(due, key=lambda delivery: delivery.due_at_unix_nano):
        if len(under_way) + len(chosen) >= places:
            break
        receiver = receiver_of(delivery.url)
        if counts.get(receiver, 0) < max(1, places // 2):
            counts[receiver] = counts.get(receiver, 0) + 1
            chosen.append(delivery)
    return chosen
