"""Query, Tail and GetJobStory on the event loop: the library's work in threads, followers bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from telecine.logs.v1 import log_collector_service_pb2 as pb

from log_collector import errors
from log_collector.journal import Journal
from log_collector.query.config import ReadingConfig
from log_collector.query.follow import Follower
from log_collector.query.library import Library
from log_collector.query.selector import Selector
from service_host.auth.principal import LOCAL, current_principal

_CATCH_UP_SECONDS: Final = 2.0
_FILING_SECONDS: Final = 10.0
"""A disk that is this far behind makes an answer incomplete rather than later still."""
_LOOK_SECONDS: Final = 0.005
_MAX_LAST: Final = 10_000


class LogQueries:
    """The servicer's `Queries`. Owns its threads; `close` releases them and is idempotent."""

    def __init__(
        self,
        library: Callable[[], Library],
        journal: Journal,
        delivered_position: Callable[[], int],
        config: ReadingConfig,
        draining: asyncio.Event,
        is_filing: Callable[[], bool] = lambda: True,
    ) -> None:
        """`delivered_position`: all records before it stand in the files that the library reads.

        `is_filing`: whether more will stand there soon, so that it is worth waiting for.
        """
        self._is_filing = is_filing
        self._library = library
        self._journal = journal
        self._delivered_position = delivered_position
        self._config = config
        self._draining = draining
        self._followers = 0
        self._followers_of: Counter[str] = Counter()
        self._executor = ThreadPoolExecutor(config.threads, "reading")
        self._following = ThreadPoolExecutor(2, "following")

    @property
    def follower_count(self) -> int:
        """Calls of Tail that are being served."""
        return self._followers

    async def query(self, request: pb.QueryRequest, tenant: str | None) -> pb.QueryResponse:
        """See `Queries`."""
        loop = asyncio.get_running_loop()
        await self._wait_for_files(self._journal.durable_position, _FILING_SECONDS)
        return await loop.run_in_executor(self._executor, self._library().query, request, tenant)

    async def histogram(self, request: pb.GetHistogramRequest, tenant: str | None) -> pb.GetHistogramResponse:
        """See `Queries`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._library().histogram, request, tenant)

    async def job_story(self, request: pb.GetJobStoryRequest, tenant: str) -> pb.GetJobStoryResponse:
        """See `Queries`."""
        loop = asyncio.get_running_loop()
        await self._wait_for_files(self._journal.durable_position, _FILING_SECONDS)
        return await loop.run_in_executor(self._executor, self._library().story, request, tenant)

    async def tail(self, request: pb.TailRequest, tenant: str | None) -> AsyncIterator[pb.TailResponse]:
        """See `Queries`."""
        selector = Selector(request.filter, has_times=False)
        if not 0 <= request.last <= _MAX_LAST:
            raise errors.invalid_field("last", f"expected 0 to {_MAX_LAST}")
        limit, principal = self._config.followers, current_principal()
        if self._followers >= limit:
            raise errors.too_many_followers(limit)
        # No tenant takes the places of all others. Without authentication there is one.
        if principal != LOCAL and self._followers_of[principal.tenant] >= max(1, limit // 2):
            raise errors.too_many_followers(max(1, limit // 2))
        self._followers += 1
        self._followers_of[principal.tenant] += 1
        try:
            async for answer in self._until_draining(self._tail(selector, request.last, tenant)):
                yield answer
        finally:
            self._followers -= 1
            self._followers_of[principal.tenant] -= 1

    def close(self) -> None:
        """Waits for what is being read."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._following.shutdown(wait=True, cancel_futures=True)

    async def _tail(
        self, selector: Selector, last: int, tenant: str | None
    ) -> AsyncIterator[pb.TailResponse]:
        position = self._journal.durable_position
        if last:
            await self._wait_for_files(position, _CATCH_UP_SECONDS)
        position = min(position, self._delivered_position()) if last else position
        follower = Follower(self._journal, selector, position, self._following, tenant)
        if last:
            loop = asyncio.get_running_loop()
            stored = await loop.run_in_executor(
                self._executor, self._library().newest, selector, last, tenant
            )
            follower.skip_once(stored)
            for first in range(0, len(stored), 1000):
                yield pb.TailResponse(records=stored[first : first + 1000])
        async for answer in follower.follow():
            yield answer

    async def _wait_for_files(self, position: int, limit_seconds: float) -> None:
        """Returns when all that was durable before stands in the files, or will not soon."""
        try:
            async with asyncio.timeout(limit_seconds):
                while self._delivered_position() < position and self._is_filing():  # noqa: ASYNC110 - another thread moves it
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            return

    async def _until_draining(
        self, answers: AsyncIterator[pb.TailResponse]
    ) -> AsyncIterator[pb.TailResponse]:
        draining = asyncio.ensure_future(self._draining.wait())
        following: asyncio.Future[pb.TailResponse] | None = None
        try:
            while True:
                following = asyncio.ensure_future(anext(answers))
                await asyncio.wait((following, draining), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    raise errors.draining(1.0)
                try:
                    yield following.result()
                except StopAsyncIteration:
                    raise errors.draining(1.0) from None
        finally:
            draining.cancel()
            if following is not None and not following.done():
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
