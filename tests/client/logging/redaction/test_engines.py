"""Hyperscan finds wherever RE2 does: in random records made of the rules' own words."""

from __future__ import annotations

import json
import os
import random
from functools import cache

import pytest
from telecine.logging.redaction.redactor import triggers_of
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.scanner import build_scanner

from tests.client.logging.redaction.kinds import planted

_TRIGGERS = triggers_of(DEFAULT_PACK)
_NAMES = (
    "",
    "pid",
    "ts",
    "msg",
    "a",
    "0",
    "env",
    "level",
    "token_count",
    "frame",
    "job_id",
    "encode",
    "key",
    "code",
)
_VALUES = ("0.0", "-1.5e-7", "false", "null", "0", "17", '"x"', '""', "[]", '"4111"', "1764340024123456789")
_SIGNS = ("=", ": ", '":"', '\\":\\"', " ", "_", "-", ".", ",", "\n", "\\n", "/", "@", "'", "é", "\u00a0", "")


@cache
def _words() -> list[str]:
    """What the rules look for, whole, halved and without its end."""
    examples = [example for rule in DEFAULT_PACK.values for example in rule.matches]
    phrases = [phrase for rule in DEFAULT_PACK.keys for phrase in rule.phrases]
    joined = [sign.join(phrase.split()) for phrase in phrases for sign in ("_", "", "-", " ")]
    hints = [hint for trigger in _TRIGGERS for hint in trigger.hints]
    whole = [*examples, *joined, *(one.upper() for one in joined), *(one.title() for one in joined), *hints]
    whole += [one.text for one in planted(4)]
    return [*whole, *(one[: len(one) // 2] for one in whole), *(one[:-1] for one in whole)]


def records(rng: random.Random, count: int) -> list[bytes]:
    """JSON records of names, values and texts; some are no JSON."""
    found = []
    words = _words()
    for _ in range(count):
        members = []
        for _ in range(rng.randrange(1, 6)):
            text = "".join(rng.choice(words) + rng.choice(_SIGNS) for _ in range(rng.randrange(3)))
            name = rng.choice(_NAMES) if rng.random() < 0.7 else rng.choice(words)
            value = (
                rng.choice(_VALUES)
                if rng.random() < 0.6
                else json.dumps(text, ensure_ascii=rng.random() < 0.5)
            )
            members.append(f"{json.dumps(name)}:{value}")
        line = "{" + ",".join(members) + "}"
        found.append((line if rng.random() < 0.9 else line.replace("\\n", "\n")).encode())
    return found


@pytest.mark.parametrize("seed", [1, 2, int(os.environ["TEST_SEED"])])
def test_both_engines_call_the_same_records_suspicious(seed: int) -> None:
    hyperscan, re2 = (build_scanner(_TRIGGERS, engine) for engine in ("hyperscan", "re2"))
    lines = records(random.Random(seed), 6_000)
    differ = [line for line in lines if hyperscan.found_in(line) != re2.found_in(line)]
    assert differ == []
    assert 0 < sum(map(re2.found_in, lines)) < len(lines)


@pytest.mark.parametrize("seed", [3, int(os.environ["TEST_SEED"])])
def test_no_single_trigger_is_missed_whatever_stands_beside_it(seed: int) -> None:
    """All but a few find nothing in a record: what another finds there would hide a miss."""
    rng = random.Random(seed)
    chosen = rng.sample(_TRIGGERS, 60)
    lines = records(rng, 400)
    for trigger in chosen:
        own = trigger._replace(is_foreign=False)
        hyperscan, re2 = (build_scanner((own,), engine) for engine in ("hyperscan", "re2"))
        assert [hyperscan.found_in(line) for line in lines] == [re2.found_in(line) for line in lines], own


@pytest.mark.parametrize("seed", [5, int(os.environ["TEST_SEED"])])
def test_both_engines_find_the_same_lines_of_a_batch(seed: int) -> None:
    hyperscan, re2 = (build_scanner(_TRIGGERS, engine) for engine in ("hyperscan", "re2"))
    lines = [line.replace(b"\n", b" ") for line in records(random.Random(seed), 3_000)]
    batch = b"\n".join(lines) + b"\n"

    def suspicious(ends: list[int]) -> set[int]:
        return {batch.count(b"\n", 0, end - 1) for end in ends}

    assert suspicious(hyperscan.ends_in(batch)) == suspicious(re2.ends_in(batch))
