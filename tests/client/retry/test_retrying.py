"""Functions and coroutines are retried as the policy says, and every decision is logged."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from telecine.exceptions import CircuitOpenError, InvalidRequestError, UnavailableError
from telecine.logging import configure_logging, get_logger, shutdown_logging
from telecine.retry import (
    Attempt,
    BreakerPolicy,
    BreakerState,
    CircuitBreaker,
    Retry,
    RetryPolicy,
    Runtime,
    circuits,
    current_attempt,
    retry,
)
from telecine.retry.prometheus import CircuitMetrics


class Time:
    """Moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def runtime(self, chance: float = 1.0) -> Runtime:
        return Runtime(lambda: self.now, self.sleep, self.async_sleep, lambda: chance)


class Flaky:
    """Fails so many times, then answers; says how often it was called."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or ConnectionError("no route")
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    configure_logging("worker", directory=tmp_path, console="off")
    yield lambda: [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]
    shutdown_logging()


def test_a_function_is_called_again_until_it_answers(time: Time) -> None:
    flaky = Flaky(3)
    fetch = Retry(RetryPolicy(initial_backoff_seconds=1, max_backoff_seconds=3), runtime=time.runtime())(
        lambda: flaky()
    )
    assert fetch() == "answer"
    assert (flaky.calls, time.waits) == (4, [1, 2, 3])


def test_the_last_error_is_raised_as_it_came(time: Time) -> None:
    flaky = Flaky(9)
    with pytest.raises(ConnectionError) as raised:
        Retry(RetryPolicy(max_attempts=3), runtime=time.runtime()).run(lambda _: flaky())
    assert raised.value is flaky.error
    assert flaky.calls == 3


def test_what_waiting_cannot_fix_is_raised_at_once(time: Time) -> None:
    flaky = Flaky(1, InvalidRequestError("fps is 0"))
    with pytest.raises(InvalidRequestError):
        Retry(runtime=time.runtime()).run(lambda _: flaky())
    assert (flaky.calls, time.waits) == (1, [])


async def test_coroutine_functions_are_awaited_again(time: Time) -> None:
    flaky = Flaky(2)

    @Retry(RetryPolicy(max_attempts=3), runtime=time.runtime())
    async def fetch(name: str) -> str:
        """Fetches."""
        return name + flaky()

    assert await fetch("an ") == "an answer"
    assert (fetch.__name__, fetch.__doc__, len(time.waits)) == ("fetch", "Fetches.", 2)


def test_a_function_sees_which_attempt_it_is(time: Time) -> None:
    flaky, numbers = Flaky(2), []

    def call(attempt: Attempt) -> str:
        numbers.append(attempt.number)
        return flaky()

    assert Retry(runtime=time.runtime()).run(call) == "answer"
    assert numbers == [0, 1, 2]


async def test_a_coroutine_sees_which_attempt_it_is(time: Time) -> None:
    flaky, numbers = Flaky(2), []

    async def call(attempt: Attempt) -> str:
        numbers.append(attempt.number)
        return flaky()

    assert await Retry(runtime=time.runtime()).run_async(call) == "answer"
    assert numbers == [0, 1, 2]


def test_progress_begins_the_count_anew(time: Time) -> None:
    flaky, numbers = Flaky(3), []

    def call(attempt: Attempt) -> str:
        numbers.append(attempt.number)
        attempt.progressed()
        return flaky()

    assert Retry(RetryPolicy(max_attempts=2), runtime=time.runtime()).run(call) == "answer"
    assert numbers == [0, 1, 1, 1]


def test_a_generator_is_refused() -> None:
    def frames() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        retry()(frames)


async def test_a_try_that_hangs_is_ended_and_made_again() -> None:
    tries = []

    @retry(attempt_timeout_seconds=0.05, initial_backoff_seconds=0, max_attempts=3)
    async def fetch() -> str:
        tries.append(current_attempt())
        if len(tries) < 3:
            await asyncio.Event().wait()
        return "answer"

    assert await fetch() == "answer"
    assert [attempt.number for attempt in tries if attempt] == [0, 1, 2]
    assert current_attempt() is None


async def test_the_last_try_that_hangs_is_a_timeout() -> None:
    @retry(attempt_timeout_seconds=0.02, initial_backoff_seconds=0, max_attempts=2, retry_on=OSError)
    async def fetch() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError, match=r"no end within 0\.02 s"):
        await fetch()


def test_a_blocking_function_sees_how_long_it_may_take(time: Time) -> None:
    def call() -> float | None:
        time.now += 1.5
        attempt = current_attempt()
        return attempt.timeout_seconds if attempt else None

    assert Retry(RetryPolicy(attempt_timeout_seconds=5), runtime=time.runtime())(call)() == 3.5
    assert Retry(RetryPolicy(), runtime=time.runtime())(call)() is None


async def test_a_cancelled_task_is_not_kept_alive() -> None:
    begun = asyncio.Event()

    @retry(retry_on=lambda error: True)
    async def fetch() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(fetch())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_every_decision_is_a_record_with_attempt_and_reason(time: Time, records) -> None:
    flaky = Flaky(9)
    fetch = Retry(RetryPolicy(max_attempts=2), runtime=time.runtime(), name="hub")(lambda: flaky())
    with pytest.raises(ConnectionError):
        fetch()
    first, last = records()
    assert (first["stage"], first["attempt"], first["reason"]) == ("retry:decision", 0, "again")
    assert (first["call"], first["retry_seconds"], first["level"]) == ("hub", 0.1, "WARNING")
    assert (first["error"], first["error_type"]) == ("no route", "ConnectionError")
    assert "2 tries" in first["retry_policy"]
    assert (last["stage"], last["attempt"], last["reason"]) == ("retry:decision", 1, "attempts_used_up")


def test_records_of_a_later_try_carry_its_number(time: Time, records) -> None:
    flaky = Flaky(1)

    def call() -> str:
        get_logger("hub").warning("asked")
        return flaky()

    Retry(runtime=time.runtime()).run(lambda _: call())
    get_logger("hub").warning("done")
    assert [(r["msg"], r.get("attempt")) for r in records()] == [
        ("asked", None),
        ("trying again", 0),
        ("asked", 1),
        ("done", None),
    ]


def test_all_calls_share_one_budget(time: Time) -> None:
    retrying = Retry(RetryPolicy(budget_tokens=3, budget_ratio=0.5), runtime=time.runtime())
    calls = 0
    for _ in range(4):
        flaky = Flaky(99)
        with pytest.raises(ConnectionError):
            retrying.run(lambda _, flaky=flaky: flaky())
        calls += flaky.calls
    assert calls == 4 + 3
    for _ in range(2):
        retrying.run(lambda _: "fine")
    flaky = Flaky(1)
    assert retrying.run(lambda _: flaky()) == "answer"


def breaker_of(time: Time, name: str = "hub") -> CircuitBreaker:
    return CircuitBreaker(name, BreakerPolicy(failures_to_open=2, open_seconds=10), clock=lambda: time.now)


def test_an_open_circuit_keeps_calls_away_until_one_trial_has_gone_well(time: Time) -> None:
    breaker = breaker_of(time)
    once = Retry(RetryPolicy(max_attempts=1), breaker=breaker, runtime=time.runtime())
    flaky = Flaky(3)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            once.run(lambda _: flaky())
    with pytest.raises(CircuitOpenError, match="hub failed 2 times") as refused:
        once.run(lambda _: flaky())
    assert (flaky.calls, breaker.state, refused.value.retry_delay_seconds) == (2, BreakerState.OPEN, 10)
    time.now += 10
    with pytest.raises(ConnectionError):
        once.run(lambda _: flaky())
    assert breaker.state is BreakerState.OPEN
    time.now += 10
    assert once.run(lambda _: flaky()) == "answer"
    assert breaker.snapshot().state is BreakerState.CLOSED
    assert (breaker.snapshot().opened, breaker.snapshot().refused) == (2, 1)


def test_a_patient_call_waits_for_the_circuit(time: Time) -> None:
    flaky = Flaky(2)
    retrying = Retry(breaker=breaker_of(time), runtime=time.runtime(chance=0.0))
    assert retrying.run(lambda _: flaky()) == "answer"
    assert (flaky.calls, time.waits) == (3, [0, 0, 10])


def test_a_call_that_names_its_errors_fails_fast_at_an_open_circuit(time: Time) -> None:
    flaky = Flaky(9)
    retrying = Retry(RetryPolicy(retry_on=ConnectionError), breaker=breaker_of(time), runtime=time.runtime())
    with pytest.raises(CircuitOpenError):
        retrying.run(lambda _: flaky())
    assert flaky.calls == 2


def test_errors_that_show_a_living_server_do_not_open_the_circuit(time: Time) -> None:
    breaker = CircuitBreaker(
        "api",
        BreakerPolicy(failures_to_open=1),
        counts=lambda error: isinstance(error, UnavailableError),
        clock=lambda: time.now,
    )
    for _ in range(3):
        with pytest.raises(InvalidRequestError), breaker.guard():
            raise InvalidRequestError("fps is 0")
    assert breaker.state is BreakerState.CLOSED


def test_an_interrupted_trial_leaves_the_next_call_to_be_the_trial(time: Time) -> None:
    breaker = breaker_of(time)
    for _ in range(2):
        with pytest.raises(OSError, match="down"), breaker.guard():
            raise OSError("down")
    time.now += 10
    with pytest.raises(KeyboardInterrupt), breaker.guard():
        raise KeyboardInterrupt
    with breaker.guard():
        pass
    assert breaker.state is BreakerState.CLOSED


def test_among_many_threads_one_is_the_trial(time: Time) -> None:
    breaker = breaker_of(time)
    for _ in range(2):
        with pytest.raises(OSError, match="down"), breaker.guard():
            raise OSError("down")
    time.now += 10
    outcomes: list[str] = []
    release = threading.Event()

    def call() -> None:
        try:
            with breaker.guard():
                outcomes.append("trial")
                release.wait(5)
        except CircuitOpenError:
            outcomes.append("refused")
        if outcomes.count("refused") == 7:
            release.set()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["trial"]


def test_circuits_stand_in_metrics_and_in_the_log(time: Time, records) -> None:
    breaker = breaker_of(time, "hub of models")
    registry = CollectorRegistry()
    registry.register(CircuitMetrics())
    for _ in range(2):
        with pytest.raises(OSError, match="down"), breaker.guard():
            raise OSError("down")
    assert [found.state for found in circuits() if found.name == "hub of models"] == [BreakerState.OPEN]
    text = generate_latest(registry).decode()
    assert 'telecine_circuit_state{circuit="hub of models",state="open"} 1.0' in text
    assert 'telecine_circuit_state{circuit="hub of models",state="closed"} 0.0' in text
    assert 'telecine_circuit_opened_total{circuit="hub of models"} 1.0' in text
    (change,) = records()
    assert (change["event"], change["circuit"], change["after"]) == (
        "circuit:changed",
        "hub of models",
        "open",
    )


def test_a_call_with_less_time_shares_budget_and_circuit(time: Time) -> None:
    breaker = breaker_of(time)
    retrying = Retry(RetryPolicy(budget_tokens=1), breaker=breaker, runtime=time.runtime())
    for _ in range(2):
        with pytest.raises(ConnectionError):
            retrying.within(5, "GetJob").run(lambda _: Flaky(9)())
        time.now += 10
    assert retrying.within(5).policy.give_up_after_seconds == 5
    assert breaker.snapshot().opened == 2


# --- as plain decorators have it ------------------------------------------------------------------


def test_with_a_delay_every_exception_is_tried_again_after_just_that_time() -> None:
    time, calls = Time(), Flaky(2, ValueError("odd"))
    retrying = retry(max_attempts=3, delay=200)
    retrying.runtime = time.runtime(chance=0.1)
    assert retrying(lambda: calls())() == "answer"
    assert time.waits == [200, 200]
    assert str(retrying.policy) == "every 200 s, 3 tries"


def test_after_the_last_attempt_the_error_is_raised_as_it_came() -> None:
    time, calls = Time(), Flaky(9, ValueError("odd"))
    retrying = retry(max_attempts=3, delay=2)
    retrying.runtime = time.runtime()
    with pytest.raises(ValueError, match="odd"):
        retrying(lambda: calls())()
    assert (calls.calls, time.waits) == (3, [2, 2])


def test_errors_that_are_named_win_over_the_delays_every_exception() -> None:
    calls = Flaky(2, ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        retry(max_attempts=3, delay=0, retry_on=OSError)(lambda: calls())()
    assert calls.calls == 1


def test_without_a_number_of_attempts_a_delay_ends_with_the_time() -> None:
    time, calls = Time(), Flaky(10_000)
    retrying = retry(delay=60)
    retrying.runtime = time.runtime()
    with pytest.raises(ConnectionError):
        retrying(lambda: calls())()
    assert time.now == 300


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf")])
def test_a_delay_that_is_none_is_an_error(delay: float) -> None:
    with pytest.raises(ValueError, match="delay_seconds"):
        retry(delay=delay)


@pytest.mark.parametrize(
    "choice",
    ["x", 5, ValueError("x"), (ValueError, "x"), [ValueError, 5], {"x"}, int, lambda: True],
)
def test_what_is_no_choice_of_errors_is_refused_when_decorating(choice: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"retry_on is .*; "):
        retry(max_attempts=2, delay=0, retry_on=choice)


@pytest.mark.parametrize("choice", [[ValueError], {ValueError, KeyError}, lambda e: True])
def test_a_list_of_classes_is_a_choice_too(choice: Any) -> None:
    tried: list[int] = []

    @retry(max_attempts=3, delay=0, retry_on=choice)
    def fails() -> None:
        tried.append(1)
        raise ValueError("the real one")

    with pytest.raises(ValueError, match="the real one"):
        fails()
    assert len(tried) == 3


async def test_the_decorator_needs_no_brackets() -> None:
    @retry
    def blocking(value: int) -> int:
        return value

    @retry
    async def asynchronous(value: int) -> int:
        return value

    assert (blocking(3), await asynchronous(4)) == (3, 4)


@pytest.mark.parametrize("thing", [5, "f", None])
def test_only_functions_are_retried(thing: Any) -> None:
    with pytest.raises(InvalidRequestError, match="only a function can be retried"):
        retry(max_attempts=2)(thing)


def test_an_object_that_can_be_called_is_retried_too() -> None:
    assert retry(max_attempts=2)(functools.partial(int, "7"))() == 7
