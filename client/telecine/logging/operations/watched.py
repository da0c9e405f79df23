"""Wraps functions, coroutine functions, generators and async generators so that each call is watched."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, Protocol, TypeVar, cast

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Watch(Protocol):
    """Watches one call, from one thread or task at a time."""

    def begin(self) -> None:
        """The call begins."""
        ...

    def step(self) -> AbstractContextManager[object]:
        """Around each stretch in which the function's own code runs; a generator has several."""
        ...

    def ended(self, error: BaseException | None) -> None:
        """The call has ended, with `error` or well. GeneratorExit: nobody wanted the rest."""
        ...


def watched(function: Callable[_P, _R], new_watch: Callable[[], Watch | None]) -> Callable[_P, _R]:
    """The function, each of its calls watched by a new watch; None: this one is not watched."""
    if inspect.isasyncgenfunction(function):
        wrapped: Callable[..., Any] = _async_generator(function, new_watch)
    elif inspect.isgeneratorfunction(function):
        wrapped = _generator(function, new_watch)
    elif inspect.iscoroutinefunction(function):
        wrapped = _coroutine(function, new_watch)
    else:
        wrapped = _plain(function, new_watch)
    return cast(Callable[_P, _R], functools.wraps(function)(wrapped))


def _plain(function: Callable[..., _R], new_watch: Callable[[], Watch | None]) -> Callable[..., _R]:
    def call(*args: Any, **kwargs: Any) -> _R:
        watch = new_watch()
        if watch is None:
            return function(*args, **kwargs)
        watch.begin()
        try:
            with watch.step():
                result = function(*args, **kwargs)
        except BaseException as error:
            watch.ended(error)
            raise
        watch.ended(None)
        return result

    return call


def _coroutine(
    function: Callable[..., Awaitable[_R]], new_watch: Callable[[], Watch | None]
) -> Callable[..., Awaitable[_R]]:
    async def call(*args: Any, **kwargs: Any) -> _R:
        watch = new_watch()
        if watch is None:
            return await function(*args, **kwargs)
        watch.begin()
        try:
            with watch.step():
                result = await function(*args, **kwargs)
        except BaseException as error:
            watch.ended(error)
            raise
        watch.ended(None)
        return result

    return call


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], new_watch: Callable[[], Watch | None]
) -> Callable[..., Generator[Any, Any, Any]]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        watch = new_watch()
        if watch is None:
            return (yield from function(*args, **kwargs))
        watch.begin()
        try:
            result = yield from _stepped(function(*args, **kwargs), watch)
        except BaseException as error:
            watch.ended(error)
            raise
        watch.ended(None)
        return result

    return call


def _stepped(inner: Generator[Any, Any, Any], watch: Watch) -> Generator[Any, Any, Any]:
    """`yield from inner`, each resumption inside of a step. A generator's frame runs in its consumer's
    context: what a step binds must not be seen by the consumer between two steps."""
    resume: Callable[[], Any] = functools.partial(next, inner)
    while True:
        try:
            with watch.step():
                item = resume()
        except StopIteration as stop:
            return stop.value
        try:
            sent = yield item
        except GeneratorExit:
            with watch.step():
                inner.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, and handed on
            resume = functools.partial(inner.throw, error)
        else:
            resume = functools.partial(inner.send, sent)


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], new_watch: Callable[[], Watch | None]
) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner = function(*args, **kwargs)
        watch = new_watch() or _NOBODY
        watch.begin()
        resume: Callable[[], Awaitable[Any]] = inner.__anext__
        try:
            while True:
                try:
                    with watch.step():
                        item = await resume()
                except StopAsyncIteration:
                    break
                try:
                    sent = yield item
                except GeneratorExit:
                    with watch.step():
                        await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown in by the consumer, and handed on
                    resume = functools.partial(inner.athrow, error)
                else:
                    resume = functools.partial(inner.asend, sent)
        except BaseException as error:
            watch.ended(error)
            raise
        watch.ended(None)

    return call


class _Nobody:
    """Looks away."""

    def begin(self) -> None:
        """See `Watch`."""

    def step(self) -> AbstractContextManager[object]:
        """See `Watch`."""
        return contextlib.nullcontext()

    def ended(self, error: BaseException | None) -> None:
        """See `Watch`."""


_NOBODY = _Nobody()
