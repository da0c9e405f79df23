"""The scan of raw bytes: whatever could be a secret makes a line suspicious, with each engine alike."""

from __future__ import annotations

import json

import pytest
from telecine.logging.redaction import Redactor
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import Check
from telecine.logging.redaction.text.checks import IBAN_LENGTHS
from telecine.logging.redaction.text.secret_text import MASK

ENGINES = ("hyperscan", "re2", "re")
BY_ENGINE = {engine: Redactor(engine=engine) for engine in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_countrys_account_numbers_make_a_line_suspicious(engine: str) -> None:
    for country in IBAN_LENGTHS:
        for written in ("12ABCD3456", "12 ABCD 3456"):
            assert BY_ENGINE[engine].scan(f'{{"msg":"to {country}{written}"}}'.encode())


@pytest.mark.parametrize("engine", ENGINES)
def test_digits_make_a_line_suspicious_where_they_are_as_many_as_a_cards_and_not_in_an_id(
    engine: str,
) -> None:
    redactor = BY_ENGINE[engine]
    for first in ("22", "27", "3", "4", "5", "6"):
        for length in range(13, 20):
            digits = first.ljust(length, "1")
            for text in (
                digits,
                f"paid by {digits}.",
                f"({digits})",
                f"card={digits}, thanks",
                f">{digits}<",
            ):
                assert redactor.scan(f'{{"msg":"{text}"}}'.encode()), text
        for harmless in (
            first.ljust(17, "1") + "bf2dd4a8fcbb67a",
            first.ljust(20, "1"),
            first.ljust(12, "1"),
        ):
            assert not redactor.scan(f'{{"job_id":"{harmless}"}}'.encode()), harmless


@pytest.mark.parametrize("engine", ENGINES)
def test_every_phrase_of_a_key_makes_a_line_suspicious(engine: str) -> None:
    phrases = [
        phrase for rule in DEFAULT_PACK.keys if rule.check is not Check.LUHN for phrase in rule.phrases
    ]
    for phrase in phrases:
        for separator in ("", " ", "_", "-", ".", "__", " - "):
            for key in (separator.join(phrase.split()), separator.join(phrase.upper().split())):
                line = f'{{"{key}":"x"}}'
                assert BY_ENGINE[engine].scan(line.encode()), line


def test_what_is_made_when_it_is_needed_first_finds_the_same() -> None:
    texts = (
        "it is pass\u200bword=hunter2x",
        "\u043f\u0430\u0440\u043e\u043b\u044c: hunter2x",
        "password=hunter2x",
    )
    quick, ready = Redactor(prefers_fast_start=True), Redactor(prefers_fast_start=True)
    ready.make_ready()
    for text in texts:
        assert quick.redact_text(text) == ready.redact_text(text) == Redactor().redact_text(text)
        assert MASK in quick.redact_text(text)[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "before", [*" !\"$%&'()*,:;<=>?[]^`{|}~", "\x1f", "\n", "\f", "\u00a0", "\u201c", "\u3010", "\uff1a"]
)
@pytest.mark.parametrize("card", ["4222222" + "222222", "3782-822463" + "-10005", "2223003122" + "003222"])
def test_whatever_stands_before_a_card_number_the_scan_finds_what_the_rule_does(
    engine: str, before: str, card: str
) -> None:
    redactor = BY_ENGINE[engine]
    text = f"sum{before}{card} today"
    is_secret = redactor.redact_text(text)[1] != {}
    assert is_secret or before in ":\uff1a\f\x1f", "names of digits may say that they are an id"
    for escaped in (True, False):
        line = json.dumps({"msg": text}, ensure_ascii=escaped).encode()
        assert (card.encode() not in redactor.redact_lines(line + b"\n")[0]) is is_secret, line


@pytest.mark.parametrize("engine", ENGINES)
def test_a_card_behind_a_colon_is_found_by_the_scan_wherever_a_word_makes_it_one(engine: str) -> None:
    redactor = BY_ENGINE[engine]
    card = "4111111111" + "111111"
    taken = 0
    for word in (
        "card",
        "Paid",
        "VISA",
        "mastercard",
        "pan",
        "cc",
        "card_num",
        "cardNumber",
        "no.",
        "no",
        "sum",
    ):
        for sign in (":", " :", ": ", "':", '":', '\\":', '_":', "[:", "="):
            texts = (f"{word}{sign}{card}", json.dumps({word + "_": int(card)}, separators=(",", ":")))
            for record in (*({"msg": text} for text in texts), {word: int(card)}, {word + "-": [int(card)]}):
                if redactor.redact_value(record)[1]:
                    taken += 1
                    assert redactor.scan(json.dumps(record, separators=(",", ":")).encode()), record
    assert taken > 200
