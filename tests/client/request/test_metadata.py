"""The caller's own data stands in the manifest as it was meant, whatever type it came in."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from telecine.exceptions import InvalidRequestError
from telecine.request.metadata import metadata_texts


@dataclass
class Settings:
    steps: object
    strength: float


class Scheduler(str, enum.Enum):  # noqa: UP042 - as people write it
    EULER = "euler"


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Named:
    def __str__(self) -> str:
        return "lora"


def text_of(value: object) -> str:
    return metadata_texts({"key": value}).texts["key"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int64(42), "42"),
        (np.float32(7.5), "7.5"),
        (np.float32(0.1), "0.1"),
        (np.float16(0.1), "0.1"),
        (np.bool_(True), "true"),
        (np.array([1, 2]), "[1,2]"),
        (np.array([[0.5, np.nan]], np.float32), '[[0.5,"NaN"]]'),
        (np.array(5), "5"),
        (np.str_("fox"), "fox"),
        (float("nan"), "NaN"),
        (np.float64("-inf"), "-Infinity"),
        ([float("inf")], '["Infinity"]'),
        (2**70, str(2**70)),
        (True, "true"),
        (None, "null"),
        ({3, 1, 2}, "[1,2,3]"),
        (range(3), "[0,1,2]"),
        ({1: {"a": (np.int8(1),)}, None: 2}, '{"1":{"a":[1]},"null":2}'),
        (Settings(np.int64(3), float("nan")), '{"steps":3,"strength":"NaN"}'),
        (Scheduler.EULER, "euler"),
        ([Scheduler.EULER], '["euler"]'),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (Path("/x"), "/x"),
        (b"\xff", "/w=="),
        ([b"\xff"], '["/w=="]'),
        (Named(), "lora"),
        ({"l": Named()}, '{"l":"lora"}'),
        ("ü {x}", "ü {x}"),
    ],
)
def test_a_value_is_written_as_what_it_is(value: object, text: str) -> None:
    assert text_of(value) == text


def test_tensors_are_numbers_too() -> None:
    torch = pytest.importorskip("torch")
    assert text_of(torch.tensor(42)) == "42"
    assert text_of(torch.tensor([0.1, 2], dtype=torch.float32)) == "[0.1,2.0]"
    assert text_of({"scale": torch.tensor(0.5, dtype=torch.bfloat16)}) == '{"scale":0.5}'


def test_half_an_emoji_is_escaped_and_its_key_is_named() -> None:
    found = metadata_texts(
        {"prompt": "fox \ud83d", "b\udce4r": 1, "nested": {"file": "\udce4"}, "whole": "🦊"}
    )
    assert found.texts == {
        "prompt": "fox \\ud83d",
        "b\\udce4r": "1",
        "nested": '{"file":"\\udce4"}',
        "whole": "🦊",
    }
    assert json.loads(found.texts["nested"]) == {"file": "\udce4"}
    assert set(found.escaped) == {"prompt", "b\\udce4r"}


def circle() -> list:
    members: list = []
    members.append(members)
    return members


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"x": Silent()}, r"metadata\['x'\].*can be shown.*no words"),
        ({1: 2, "1": 3}, r"metadata\['1'\].*there twice"),
        ({"x": {1: 2, "1": 3}}, r"metadata\['x'\].*each key once"),
        ({(1,): 2}, "keys that are text"),
        ({"x": np.zeros(200_000)}, r"metadata\['x'\].*at most 100000 numbers"),
        ({"x": circle()}, r"metadata\['x'\].*nested"),
    ],
)
def test_what_cannot_be_written_is_refused_by_its_key(metadata: dict, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        metadata_texts(metadata)
