"""Who gets the next worker: priority, deadline, fairness between jobs, age; and who must give one back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from encoder_service.pool.scheduler import Running, Waiting, choose, starved


def waiting(
    job: str, output: str = "mp4", *, priority: int = 0, deadline: int = 0, created: int = 0
) -> Waiting:
    """An output that could run."""
    return Waiting(job, output, priority, deadline, created)


def chosen(*outputs: Waiting, running: list[Running] | None = None, free: int = 1) -> list[str]:
    """The names of those that are begun."""
    return [f"{output.job_id}/{output.output}" for output in choose(list(outputs), running or [], free)]


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
