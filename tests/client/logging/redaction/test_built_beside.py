"""A scanner that answers before its fastest engine is built."""

from __future__ import annotations

import threading

from telecine.logging.redaction.redactor import triggers_of
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.scanner import EarlyScanner, Scanner, build_scanner, build_scanner_beside

TRIGGERS = triggers_of(DEFAULT_PACK)
SECRET = b'{"msg":"password=hunter2x"}'
CLEAN = b'{"msg":"frame 17 of 81"}'


def tells_apart(scanner: Scanner) -> bool:
    return scanner.found_in(SECRET) and bool(scanner.ends_in(SECRET)) and not scanner.found_in(CLEAN)


def test_the_scanner_answers_before_and_after_hyperscan_is_built() -> None:
    may_go_on = threading.Event()

    def build() -> Scanner:
        may_go_on.wait()
        return build_scanner(TRIGGERS, "hyperscan")

    scanner = EarlyScanner(build_scanner(TRIGGERS, "re2"), build)
    assert scanner.engine == "re2"
    assert tells_apart(scanner)
    may_go_on.set()
    scanner.make_ready()
    assert scanner.engine == "hyperscan"
    assert tells_apart(scanner)


def test_the_collectors_scanner_ends_up_with_the_fastest_engine() -> None:
    scanner = build_scanner_beside(TRIGGERS)
    scanner.make_ready()
    assert scanner.engine == "hyperscan"
