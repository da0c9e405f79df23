"""The filter in one line: what its terms mean, and that what is written is read as the same filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine import LogFilter
from telecine.log_view.filter_text import FilterTextError, format_filter, parse_filter
from telecine.log_view.quick_filters import QUICK_FILTERS, QuickFilter, narrowed
from telecine.logging.catalogue import ID_FIELDS, Level

from log_collector.query.selector import Selector
from tests.log_collector.harness import lines_of, record


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", LogFilter()),
        ("  timed   out ", LogFilter(text="timed out")),
        ("level:warn", LogFilter(min_level=Level.WARNING)),
        ("level:info level:ERROR", LogFilter(min_level=Level.ERROR)),
        ("service:worker service:api", LogFilter(services=("worker", "api"))),
        ("logger:app.db stage:encode:*", LogFilter(loggers=("app.db",), stages=("encode:*",))),
        ("job:42 request_id:7f", LogFilter(ids={"job_id": "42", "request_id": "7f"})),
        ("duration_ms>500", LogFilter(expression="duration_ms > 500")),
        ("attempt>=1 error_type=TimeoutError",
         LogFilter(expression='(attempt >= 1) and (error_type = "TimeoutError")')),
        ('where:"a > 1 or b = 2"', LogFilter(expression="a > 1 or b = 2")),
        ('"level:warn  as it stands"', LogFilter(text="level:warn  as it stands")),
        ("https://host/a pipeline:start", LogFilter(text="https://host/a pipeline:start")),
        (r'service:"a \"b\" \\c"', LogFilter(services=('a "b" \\c',))),
        ("level:error service:worker job:7 out of memory",
         LogFilter(min_level=Level.ERROR, services=("worker",), ids={"job_id": "7"}, text="out of memory")),
    ],
)  # fmt: skip
def test_a_line_of_terms_is_a_filter(text: str, expected: LogFilter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("level:wa", "level:wa is no level; write debug, info, warning, error or critical"),
        ("level:", "is no level"),
        ("service:", "service: needs a value right behind it"),
        ("job:", "job: needs an id"),
        ("duration_ms>", "needs a value"),
        ("job:1 job:2", "stands there twice"),
        ('say "hello', "a quotation mark is not closed"),
        ('service:"hello', "a quotation mark is not closed"),
    ],
)
def test_what_is_no_filter_yet_says_what_is_missing(text: str, says: str) -> None:
    with pytest.raises(FilterTextError, match=says):
        parse_filter(text)


WORDS = st.text(min_size=1, max_size=12)
FILTERS = st.builds(
    LogFilter,
    min_level=st.none() | st.sampled_from(Level),
    services=st.lists(WORDS, max_size=2).map(tuple),
    loggers=st.lists(WORDS, max_size=2).map(tuple),
    stages=st.lists(WORDS, max_size=2).map(tuple),
    ids=st.dictionaries(st.sampled_from(ID_FIELDS), WORDS, max_size=2),
    text=st.text(max_size=20),
    expression=st.text(max_size=20),
)


@given(FILTERS)
def test_a_written_filter_is_read_as_the_same(wanted: LogFilter) -> None:
    assert parse_filter(format_filter(wanted)) == wanted


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_clear_error(text: str) -> None:
    try:
        wanted = parse_filter(text)
    except FilterTextError:
        return
    assert parse_filter(format_filter(wanted)) == wanted


RECORDS = {level: lines_of([record(1, level=level.name)])[:-1] for level in Level}


@pytest.mark.parametrize(
    ("quick", "levels"),
    [
        (QuickFilter.ALL, set(Level)),
        (QuickFilter.ERRORS, {Level.ERROR, Level.CRITICAL}),
        (QuickFilter.WARNINGS, {Level.WARNING}),
        (QuickFilter.INFO, {Level.INFO}),
        (QuickFilter.DEBUG, {Level.DEBUG, Level.TRACE}),
    ],
)
def test_a_quick_filter_leaves_its_levels_in_the_collectors_own_words(
    quick: QuickFilter, levels: set[Level]
) -> None:
    selector = Selector(narrowed(LogFilter(), quick).message())
    assert {level for level, line in RECORDS.items() if selector.passes(line) is not None} == levels


def test_a_quick_filter_comes_on_top_of_what_was_typed() -> None:
    typed = LogFilter(services=("worker",), min_level=Level.INFO, expression="n = 1 or n = 2")
    wanted = narrowed(typed, QuickFilter.WARNINGS)
    assert wanted.services == ("worker",)
    assert wanted.min_level is Level.WARNING
    assert wanted.expression == "(n = 1 or n = 2) and (level = WARNING)"
    assert narrowed(LogFilter(min_level=Level.CRITICAL), QuickFilter.ERRORS).min_level is Level.CRITICAL


def test_every_quick_filter_has_its_key() -> None:
    assert set(QUICK_FILTERS) == set(QuickFilter)
    assert len({spec.key for spec in QUICK_FILTERS.values()}) == len(QuickFilter)
