"""Every kind of secret in every form goes, and nothing else does: by the redactor alone."""

from __future__ import annotations

import json
import random

import pytest
from telecine.logging.redaction import Redactor

from tests.client.logging.redaction.kinds import HARMLESS, Planted, planted

REDACTOR = Redactor()
SEEDS = (1, 20261128, random.SystemRandom().randrange(1 << 30))


@pytest.mark.parametrize("one", [p for seed in SEEDS for p in planted(seed)], ids=lambda one: one.kind)
def test_a_secret_leaves_a_text_a_field_and_a_line(one: Planted) -> None:
    values = [one.text]
    if one.text[:2] in ('{"', '["', "[["):
        values.append(json.loads(one.text))
    for value in values:
        for way in (
            json.dumps(REDACTOR.redact_value({"x": value})[0], ensure_ascii=False),
            REDACTOR.redact_json_line(json.dumps({"msg": "m", "x": value}).encode())[0].decode(),
            REDACTOR.redact_json_line(json.dumps({"msg": value}, ensure_ascii=False).encode())[0].decode(),
        ):
            assert one.needle not in json.dumps(json.loads(way), ensure_ascii=False), way
            assert REDACTOR.redact_json_line(way.encode()) == (way.encode(), {}), "twice changes nothing"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    values = [text, json.loads(text)] if text[:2] in ('{"', '["') else [text]
    for value in values:
        assert REDACTOR.redact_value({"msg": value}) == ({"msg": value}, {})
        line = json.dumps({"msg": value}).encode()
        assert REDACTOR.redact_json_line(line) == (line, {})


@pytest.mark.parametrize(
    ("items", "redacted"),
    [
        (["DB_PASSWORD=s3cretvalue", "MODE=prod"], ["DB_PASSWORD=***redacted***", "MODE=prod"]),
        (["--password=s3cretvalue", "in.mp4"], ["--password=***redacted***", "in.mp4"]),
        (
            ["Authorization: Bearer abcdefgh12345678", "Accept: */*"],
            ["Authorization: ***redacted***", "Accept: */*"],
        ),
        (["x-api-key", "s3cretvalue"], ["x-api-key", "***redacted***"]),
        (["app", "--token", "abc", "in.mp4"], ["app", "--token", "***redacted***", "in.mp4"]),
        (["mysql", "-ps3cret", "shop"], ["mysql", "-p***redacted***", "shop"]),
        (["curl", "-u", "ada:s3cret", "https://h/"], ["curl", "-u", "ada:***redacted***", "https://h/"]),
    ],
)
def test_a_list_loses_its_secret_and_keeps_its_other_elements(items: list[str], redacted: list[str]) -> None:
    assert REDACTOR.redact_value({"argv": items})[0] == {"argv": redacted}


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (b'{"msg":"key AKIAQWERTYUIOPASDFG7","msg":"clean"}', b"AKIA"),
        (b'{"msg":"x","password":"DUPPWONE1","password":null}', b"DUPPWONE1"),
        (b'{"msg":"x","a":{"t":"AKIAQWERTYUIOPASDFG6","t":1}}', b"AKIA"),
        (b'{"msg":"{\\"token\\":\\"DUPPWONE1x\\",\\"token\\":1}"}', b"DUPPWONE1x"),
    ],
)
def test_a_secret_under_a_key_that_comes_again_goes_with_it(line: bytes, secret: bytes) -> None:
    redacted, counts = REDACTOR.redact_json_line(line)
    assert secret not in redacted
    assert counts
    json.loads(redacted)


def test_a_doubled_key_without_a_secret_stays_as_it_is() -> None:
    line = b'{"msg":"x","password":null,"a":1,"a":2}'
    assert REDACTOR.redact_json_line(line) == (line, {})
