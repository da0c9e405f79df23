"""Who gets the next worker: priority, deadline, fairness between jobs, age; and who must give one back."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.pool.scheduler import Running, Sharing, Waiting, choose, starved


def waiting(
    job: str, output: str = "mp4", *, priority: int = 0, deadline: int = 0, created: int = 0
) -> Waiting:
    """An output that could run."""
    return Waiting(job, output, priority, deadline, created)


def chosen(*outputs: Waiting, running: list[Running] | None = None, free: int = 1) -> list[str]:
    """The names of those that are begun."""
    return [f"{output.job_key}/{output.output}" for output in choose(list(outputs), running or [], free)]


def test_higher_priority_goes_first_then_the_earlier_deadline_then_the_older_job() -> None:
    old, new = waiting("old", created=1), waiting("new", created=2)
    urgent, later = waiting("urgent", deadline=10, created=3), waiting("later", deadline=20, created=0)
    important = waiting("important", priority=1, created=9)
    assert chosen(new, old, later, urgent, important, free=5) == [
        "important/mp4",
        "urgent/mp4",
        "later/mp4",
        "old/mp4",
        "new/mp4",
    ]


def test_one_job_of_many_outputs_does_not_shut_out_the_others() -> None:
    greedy = [waiting("greedy", f"o{number}", created=1) for number in range(3)]
    assert chosen(*greedy, waiting("modest", created=2), free=2) == ["greedy/o0", "modest/mp4"]
    running = [Running("greedy", "x", 0.0)]
    assert chosen(*greedy, waiting("modest", created=2), running=running, free=1) == ["modest/mp4"]


def test_nothing_is_begun_without_a_free_slot() -> None:
    assert chosen(waiting("a"), free=0) == []


def test_the_longest_starved_gives_way_and_only_as_many_as_are_needed() -> None:
    running = [Running("a", "x", 5.0), Running("b", "x", 9.0), Running("c", "x", 0.0)]
    assert starved([waiting("d")], running, 0, 3.0) == [running[1]]
    assert starved([waiting("d")], running, 1, 3.0) == []
    assert starved([], running, 0, 3.0) == []
    assert starved([waiting(str(number)) for number in range(9)], running, 0, 3.0) == [running[1], running[0]]


@given(
    st.lists(
        st.builds(
            Waiting,
            st.sampled_from("abcd"),
            st.text("xyz", max_size=2),
            st.integers(-2, 2),
            st.integers(0, 3),
            st.integers(0, 3),
        )
    ),
    st.integers(0, 6),
)
def test_free_slots_are_filled_and_nobody_is_overtaken_by_lower_priority(
    outputs: list[Waiting], free: int
) -> None:
    begun = choose(outputs, [], free)
    assert len(begun) == min(free, len(outputs))
    left = list(outputs)
    for output in begun:
        left.remove(output)
    if begun and left:
        assert min(output.priority for output in begun) >= max(output.priority for output in left)


def shared(*outputs: Waiting, running: list[Running] | None = None, free: int = 1, **sharing) -> list[str]:
    """As `chosen`, with what tenants have had and may have."""
    found = choose(list(outputs), running or [], free, 0, Sharing(**sharing))
    return [output.job_key for output in found]


def of(tenant: str, job: str, **fields) -> Waiting:
    """An output of a tenant's job."""
    holders = (tenant, f"{tenant}/alice")
    return msgspec.structs.replace(waiting(job, **fields), tenant=tenant, holders=holders)


def test_tenants_take_turns_whatever_their_jobs_say_of_themselves() -> None:
    flood = [of("acme", f"a{n}", priority=100, deadline=1, created=n) for n in range(1000)]
    late = [of("beta", "b0", created=5000), of("beta", "b1", created=5001)]
    assert shared(*flood, *late, free=4) == ["a0", "b0", "a1", "b1"]
    assert shared(*flood, *late, turns={"acme": 7, "beta": 3}) == ["b0"]
    busy = [Running("a9", "mp4", 0.0, "acme"), Running("b9", "mp4", 0.0, "beta")]
    assert shared(*flood, *late, running=busy[:1], turns={"beta": 9}) == ["b0"]
    assert shared(*flood, *late, running=busy, turns={"acme": 1, "beta": 2}) == ["a0"]


def test_a_holder_at_its_limit_of_running_jobs_waits_and_the_others_go_on() -> None:
    outputs = [of("acme", "a0"), of("acme", "a0", output="webm"), of("acme", "a1"), of("beta", "b0")]
    assert shared(*outputs, free=9, most_jobs={"acme": 1}) == ["a0", "b0", "a0"]
    assert shared(*outputs, free=9, most_jobs={"acme/alice": 1}) == ["a0", "b0", "a0"]
    running = [Running("a9", "mp4", 0.0, "acme", ("acme",))]
    assert shared(*outputs, running=running, free=9, most_jobs={"acme": 1}) == ["b0"]


@given(st.integers(1, 6), st.integers(1, 40), st.integers(2, 30))
def test_while_both_have_work_no_tenant_is_a_turn_behind(tenants: int, jobs: int, rounds: int) -> None:
    """One worker, jobs of the same length: whoever waits has at most one turn less than any other."""
    left = [of(f"t{n}", f"t{n}-{job}", created=job) for n in range(tenants) for job in range(jobs)]
    turns: dict[str, int] = {}
    served: Counter[str] = Counter()
    for number in range(min(rounds, tenants * jobs)):
        (best,) = choose(left, [], 1, 0, Sharing(turns))
        left.remove(best)
        turns[best.tenant] = number + 1
        served[best.tenant] += 1
        waiting_still = {output.tenant for output in left}
        assert all(max(served.values()) - served[tenant] <= 1 for tenant in waiting_still)
