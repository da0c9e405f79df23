"""One odd value of a record changes none beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy import bool_, float16, float32, float64, int8, int64, nan
from telecine.logging import LogContext, configure_logging

BESIDE = {"count": 3, "size": 2**62, "ratio": 0.5, "name": "café", "nothing": None, "flag": True}

ODD: list[tuple[Any, Any]] = [
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    (float64("nan"), "NaN"),
    (float32("inf"), "Infinity"),
    (float16(0.5), 0.5),
    (int64(7), 7),
    (int8(-1), -1),
    (bool_(True), True),
    ([1, float("nan"), {"a": float("-inf"), "b": 2}], [1, "NaN", {"a": "-Infinity", "b": 2}]),
    ("half \udcff", "half \\udcff"),
    ({"half \ud800": 1}, {"half \\ud800": 1}),
    (2**63, 2**63),
    (2**70, 2**70),
    (1 << 20_000, None),
    ([2**64, "\udcff", 5], [2**64, "\\udcff", 5]),
]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    log = configure_logging("app", console="off", directory=tmp_path)

    def logged(msg: str = "m", /, **fields: Any) -> dict[str, Any]:
        log.info(msg, **fields)
        found: dict[str, Any] = json.loads((tmp_path / "app.log").read_bytes().splitlines()[-1])
        return found

    return logged


@pytest.mark.parametrize(("odd", "expected"), ODD, ids=map(str, range(len(ODD))))
@pytest.mark.parametrize("turn", [1, 2])
def test_a_neighbour_of_an_odd_value_stays(
    record: Callable[..., dict[str, Any]], odd: Any, expected: Any, turn: int
) -> None:
    for _ in range(turn):
        found = record(**BESIDE, odd=odd)
    assert {name: found[name] for name in BESIDE} == BESIDE
    assert {name: type(found[name]) for name in BESIDE} == {
        name: type(value) for name, value in BESIDE.items()
    }
    if expected is None:
        assert isinstance(found["odd"], str)
        assert "characters" in found["odd"]
    else:
        assert found["odd"] == expected
        assert type(found["odd"]) is type(expected)


def test_reserved_names_push_out_no_other_field(record: Callable[..., dict[str, Any]]) -> None:
    found = record(level=1, level_=2, level__=3, service="x", timestamp=nan)
    assert {key: found[key] for key in found if key.startswith("level")} == {
        "level": "INFO",
        "level___": 1,
        "level_": 2,
        "level__": 3,
    }
    assert (found["service"], found["service_"], found["timestamp_"]) == ("app", "x", "NaN")


def test_a_cut_record_says_how_much_is_missing(record: Callable[..., dict[str, Any]]) -> None:
    found = record(job_id="j", **{f"field_{n}": "x" * 5000 for n in range(200)})
    assert found["is_cut"] is True
    assert found["uncut_bytes"] > 200 * 5000
    assert found["cut_fields"] == 201 - sum(name.startswith("field_") or name == "job_id" for name in found)


def test_a_context_is_entered_within_itself_and_in_other_tasks(record: Callable[..., dict[str, Any]]) -> None:
    import asyncio

    context = LogContext(job_id="j-1")

    async def task() -> None:
        with context:
            await asyncio.sleep(0)
            assert record()["job_id"] == "j-1"
        assert "job_id" not in record()

    with context:
        with context:
            assert record()["job_id"] == "j-1"
        assert record()["job_id"] == "j-1"
    assert "job_id" not in record()

    async def both() -> None:
        await asyncio.gather(task(), task())

    asyncio.run(both())
    assert "job_id" not in record()
