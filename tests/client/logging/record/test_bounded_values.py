"""Whatever is logged, a log call returns soon, and what it leaves out it says."""

from __future__ import annotations

import collections
import dataclasses
import json
import logging
import time
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from telecine.logging import LogContext, configure_logging, get_logger, logging_stats
from telecine.logging.bridges.stdlib import BridgeHandler
from telecine.logging.redaction import Redactor
from telecine.stages.running.ledger import storable

BOUND_SECONDS = 4.0
Log = Callable[[Any], None]


@dataclasses.dataclass(eq=False)
class Node:
    name: str
    peers: list[Node] = dataclasses.field(default_factory=list)


class Slotted(msgspec.Struct, eq=False):
    name: str
    peers: list[Slotted] = []


class Talkative:
    """Logs itself whenever it is shown."""

    def __repr__(self) -> str:
        logging.getLogger("talkative").warning("shown: %s", self)
        get_logger("talkative").warning("shown", it=self)
        return "talkative"


class Liar(Mapping[str, int]):
    """Says that it has three items and never ends."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[str]:
        n = 0
        while True:
            n += 1
            yield f"key {n}"

    def __getitem__(self, key: str) -> int:
        return 1


class Endless(list[int]):
    def __iter__(self) -> Iterator[int]:
        n = 0
        while True:
            n += 1
            yield n


class Unshowable(Exception):  # noqa: N818 - as somebody else names it
    def __str__(self) -> str:
        raise RuntimeError("cannot")

    __repr__ = __str__


def peers(count: int, kind: Any = Node) -> Any:
    nodes = [kind(f"node {n}", []) for n in range(count)]
    for node in nodes:
        node.peers[:] = [other for other in nodes if other is not node]
    return nodes[0]


def nested(depth: int, width: int) -> Any:
    """Few objects, `width ** depth` ways through them."""
    value: Any = "leaf"
    for _ in range(depth):
        value = [value] * width
    return value


def deep(kind: type, depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"in": value} if kind is dict else [value]
    return value


def itself() -> dict[str, Any]:
    value: dict[str, Any] = {"name": "loop"}
    value["self"] = value
    return value


def namespace() -> types.SimpleNamespace:
    nodes = [types.SimpleNamespace() for _ in range(14)]
    for node in nodes:
        node.peers = nodes
    return nodes[0]


def groups(depth: int, width: int) -> BaseException:
    error: Exception = ValueError("leaf")
    for _ in range(depth):
        error = ExceptionGroup("group", [error] * width)
    return error


def cyclic_group() -> BaseException:
    inner = ValueError("inner")
    group = ExceptionGroup("group", [inner])
    inner.__cause__ = group
    return group


def chain(count: int) -> BaseException:
    error = ValueError("first")
    for n in range(count):
        following = ValueError(n)
        following.__cause__, error = error, following
    return error


VALUES: dict[str, Callable[[], Any]] = {
    "4 peers": lambda: peers(4),
    "14 peers": lambda: peers(14),
    "300 peers": lambda: peers(300),
    "14 peers as structs": lambda: peers(14, Slotted),
    "14 peers as namespaces": namespace,
    "peers in a deque": lambda: collections.deque([peers(14)]),
    "an exception about peers": lambda: ValueError(peers(14)),
    "12 ways, 12 deep": lambda: nested(12, 12),
    "2 ways, 60 deep": lambda: nested(60, 2),
    "a wide list of wide lists": lambda: nested(2, 5_000),
    "one long text, many times": lambda: ["x" * 1_000_000] * 9_000,
    "itself": itself,
    "100,000 deep": lambda: deep(list, 100_000),
    "100,000 deep in dicts": lambda: deep(dict, 100_000),
    "a mapping without end": Liar,
    "a list without end": Endless,
    "what logs itself": Talkative,
    "what cannot be shown": Unshowable,
    "groups in groups": lambda: groups(9, 9),
    "many groups in groups": lambda: groups(40, 2),
    "a group with itself as cause": cyclic_group,
    "2,000 chained exceptions": lambda: chain(2_000),
}

WAYS: dict[str, Log] = {
    "field": lambda value: get_logger("app").info("a record", value=value),
    "argument": lambda value: get_logger("app").info("a record %s", value),
    "event": lambda value: get_logger("app").info(value),
    "bound": lambda value: get_logger("app").bind(value=value).info("a record"),
    "stdlib argument": lambda value: logging.getLogger("app").info("a record %s", value),
    "stdlib message": lambda value: logging.getLogger("app").info(value),
    "stdlib extra": lambda value: logging.getLogger("app").info("a record", extra={"value": value}),
    "stdlib mapping": lambda value: logging.getLogger("app").info("a record %(value)s", {"value": value}),
    "key": lambda value: get_logger("app").info("a record", value={Key(value): 1}),
}


class Key:
    """As a key of a dict, whatever it holds."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __str__(self) -> str:
        return "key"


def in_context(value: Any) -> None:
    with LogContext(value=value):
        get_logger("app").info("a record")


WAYS["context"] = in_context


def as_exception(value: Any) -> None:
    error = value if isinstance(value, BaseException) else ValueError(value)
    get_logger("app").error("a record", exc_info=error)


WAYS["exception"] = as_exception


@pytest.fixture
def written(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    configure_logging("worker", directory=tmp_path, console="off", file_max_bytes=1 << 30)
    return lambda: [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_log_call_returns_soon_and_writes_its_record(
    written: Callable[[], list[dict[str, Any]]],
    value: Callable[[], Any],
    way: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest's own handlers format without any bound.
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, BridgeHandler)]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)
    given = value()
    begun = time.thread_time()
    way(given)
    assert time.thread_time() - begun < BOUND_SECONDS
    records = written()
    assert [record for record in records if record.get("logger") == "app"]
    assert len(records) < 200
    assert logging_stats()["failures"] == 0


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_what_a_stage_stores_is_bounded_too(value: Callable[[], Any]) -> None:
    given = value()
    begun = time.thread_time()
    msgspec.json.encode(storable({"value": given}, Redactor())[0])
    assert time.thread_time() - begun < BOUND_SECONDS * 3


def test_a_cycle_is_named_and_what_is_shared_is_shown_each_time(
    written: Callable[[], list[dict[str, Any]]],
) -> None:
    shared = {"a": 1}
    get_logger("app").info("graph", loop=itself(), two=peers(2), both=[shared, shared])
    (record,) = written()
    assert record["loop"] == {"name": "loop", "self": "<cycle>"}
    assert record["two"] == {"name": "node 0", "peers": [{"name": "node 1", "peers": ["<cycle>"]}]}
    assert record["both"] == [shared, shared]


def test_what_is_left_out_is_said(written: Callable[[], list[dict[str, Any]]]) -> None:
    class Long:
        def __str__(self) -> str:
            return "x" * 5000

    get_logger("app").info("long", text=Long(), raw=b"y" * 5000, many=list(range(11_000)))
    (record,) = written()
    assert record["text"].endswith("… (5000 characters)")
    assert record["raw"].endswith("… (5000 bytes)")
    assert record["many"][-1] == "… (11000 items)"


def test_the_bound_is_of_the_record_and_not_of_each_value(
    written: Callable[[], list[dict[str, Any]]], tmp_path: Path
) -> None:
    wide = {f"field_{n}": nested(2, 5_000) for n in range(200)}
    begun = time.thread_time()
    get_logger("app").info("wide", **wide)
    assert time.thread_time() - begun < BOUND_SECONDS
    assert written()[0]["msg"] == "wide"


def test_an_exception_that_cannot_be_shown_leaves_message_fields_and_stack(
    written: Callable[[], list[dict[str, Any]]],
) -> None:
    log = get_logger("app")
    try:
        raise Unshowable
    except Unshowable:
        log.exception("job failed", job_id="j-1")
        logging.getLogger("app").exception("job failed")
    log.warning("value %s is odd", Unshowable(), job_id="j-2")
    log.warning("%c", 1 << 40, job_id="j-3")
    records = written()
    assert [record.get("job_id") for record in records] == ["j-1", None, "j-2", "j-3"]
    assert all("Unshowable" in record["stack"] for record in records[:2])
    assert records[0]["error"] == "<Unshowable str() failed>"
    assert records[2]["msg"].startswith("value %s is odd <Unshowable")
