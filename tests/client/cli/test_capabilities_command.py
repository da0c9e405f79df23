"""`telecine capabilities --options` says what is wrong where there is nothing to show."""

from __future__ import annotations

import pytest
from telecine.cli.capabilities import check_encoder
from telecine.cli.show.failures import explain
from telecine.exceptions import InvalidRequestError, NotSupportedError
from telecine.results.values import Capabilities, EncoderOptions, Limits


def capabilities(version: str, options: dict[str, EncoderOptions]) -> Capabilities:
    limits = Limits.__new__(Limits)
    return Capabilities((), (), limits, version, {}, 1, encoder_options=options)


def test_a_server_that_reports_no_options_is_named_as_the_reason() -> None:
    with pytest.raises(NotSupportedError, match=r"version 0\.1\.0 does not report") as raised:
        check_encoder("libx264", capabilities("0.1.0", {}))
    failure = explain(raised.value)
    assert "0.2.0" in failure.advice
    assert failure.exit_code == 3


def test_an_unknown_encoder_is_answered_with_those_that_there_are() -> None:
    found = capabilities("0.2.0", {"libx264": EncoderOptions({}, ""), "libx265": EncoderOptions({}, "")})
    with pytest.raises(InvalidRequestError, match="expected one of libx264, libx265"):
        check_encoder("x264", found)
    check_encoder("libx265", found)
