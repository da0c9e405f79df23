"""Logs of programs that we did not write come through redaction as they are."""

from __future__ import annotations

import json
from pathlib import Path

import zstandard
from telecine.logging.redaction import Redactor

from tests.client.logging.redaction.look_alikes import RECORDS, TEXTS
from tests.client.logging.redaction.printed_look_alikes import PRINTED

_CORPUS = Path(__file__).parent / "corpus" / "harmless.jsonl.zst"


def corpus() -> list[tuple[str, str]]:
    """Program and line."""
    raw = zstandard.ZstdDecompressor().decompress(_CORPUS.read_bytes())
    return [tuple(json.loads(line)) for line in raw.splitlines()]


def test_no_line_of_the_corpus_is_changed() -> None:
    redactor = Redactor()
    lines = corpus()
    assert len(lines) >= 5000
    assert len({program for program, _ in lines}) >= 10
    eaten = []
    for program, line in lines:
        record = json.dumps({"msg": line, "argv": line.split()}, ensure_ascii=False).encode()
        if redactor.redact_text(line) != (line, {}) or redactor.redact_json_line(record) != (record, {}):
            eaten.append((program, line, redactor.redact_text(line)[0]))
    assert eaten == []


def test_nothing_that_only_looks_like_a_secret_is_changed_as_a_text_a_list_or_a_record() -> None:
    redactor = Redactor()
    texts = [line for line in (TEXTS + PRINTED).split("\n") if line]
    eaten: list[object] = [text for text in texts if redactor.redact_text(text) != (text, {})]
    for tree in (*({"msg": text, "argv": text.split()} for text in texts), *RECORDS):
        line = json.dumps(tree, ensure_ascii=False).encode()
        if redactor.redact_json_line(line) != (line, {}) or redactor.redact_value(tree) != (tree, {}):
            eaten.append(tree)
        if redactor.redact_text(f"got {line.decode()}")[1]:
            eaten.append(f"in a text: {line.decode()}")
    assert len(texts) > 500
    assert eaten == []
