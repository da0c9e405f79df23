"""Secrets behind the escapes of programs and mails, and in UTF-16; harmless escapes stay."""

from __future__ import annotations

import json

import pytest
from telecine.logging.redaction import Redactor

REDACTOR = Redactor()
_SECRET = "Zq47hunter2x"
_HIDDEN = (
    f"&quot;password&quot;:&quot;{_SECRET}&quot;",
    f"password&#61;{_SECRET}",
    f"password&#x3D;{_SECRET}",
    f"password\\x3d{_SECRET}",
    f"p\\x61ssword={_SECRET}",
    f"{{\\x22password\\x22:\\x22{_SECRET}\\x22}}",
    f"password=3D{_SECRET}",
    f"pass%77ord={_SECRET}",
    f"%70%61%73%73%77%6f%72%64={_SECRET}",
    f"%25257B%252522password%252522%25253A%252522{_SECRET}%252522%25257D",
    "".join(f"{char}\0" for char in f"password={_SECRET}"),
    "".join(f"\0{char}" for char in f"password={_SECRET}"),
    repr(f"password={_SECRET}".encode("utf-16-le")),
)
_HARMLESS = (
    "&quot;hello&quot; &amp; &lt;b&gt; it&#39;s",
    "b'\\x00\\x01\\x02\\xff\\x41'",
    "=?utf-8?Q?Hello=20W=C3=B6rld?= dim=3D",
    "GET /a%20b%2Fc?q=%41%42 HTTP/1.1",
    "n\0o\0t\0h\0i\0n\0g\0",
    "A=1\0B=2\0HOME=/root\0",
)


def _is_seen(text: str) -> bool:
    return _SECRET in text.replace("\\u0000", "").replace("\\x00", "").replace("\\", "").replace("\0", "")


@pytest.mark.parametrize("engine", ["re", "re2", "hyperscan"])
@pytest.mark.parametrize("text", _HIDDEN)
def test_what_escapes_hide_is_taken_out(text: str, engine: str) -> None:
    redactor = REDACTOR if engine == REDACTOR.engine else _of(engine)
    redacted = redactor.redact_text(text)[0]
    assert not _is_seen(redacted)
    assert redactor.redact_text(redacted)[0] == redacted
    line = redactor.redact_json_line(json.dumps({"a": [{"msg": text}]}).encode())[0].decode()
    assert not _is_seen(line)
    assert redactor.redact_json_line(line.encode())[0].decode() == line


@pytest.mark.parametrize("text", _HARMLESS)
def test_other_escapes_stay(text: str) -> None:
    assert REDACTOR.redact_text(text)[0] == text
    line = json.dumps({"msg": text}).encode()
    assert REDACTOR.redact_json_line(line)[0] == line


_engines: dict[str, Redactor] = {}


def _of(engine: str) -> Redactor:
    if engine not in _engines:
        try:
            _engines[engine] = Redactor(engine=engine)
        except ValueError:
            pytest.skip(f"{engine} is not installed")
    return _engines[engine]
