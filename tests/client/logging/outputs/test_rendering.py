"""Lines for people carry colours only where somebody wants them, and the service where several are shown."""

from __future__ import annotations

import pytest
from telecine.logging.outputs.rendering import Format, renderer

LINE = b'{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","service":"api","logger":"app","msg":"x"}'


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_is_written_where_nobody_wants_colours(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert b"\x1b" in renderer(Format.HUMAN, has_colours=True)(LINE)
    monkeypatch.setenv(name, value)
    assert b"\x1b" not in renderer(Format.HUMAN, has_colours=True)(LINE)


def test_the_service_stands_before_the_logger_where_records_of_several_are_shown() -> None:
    assert b" api app x" in renderer(Format.HUMAN, shows_service=True)(LINE)
    assert b" api app" not in renderer(Format.HUMAN)(LINE)
    alone = LINE.replace(b'"logger":"app",', b"")
    assert b" api x" in renderer(Format.HUMAN, shows_service=True)(alone)
