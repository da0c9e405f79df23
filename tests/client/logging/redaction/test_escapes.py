"""Secrets behind the escapes of programs and mails, and in UTF-16; harmless escapes stay."""

from __future__ import annotations

import json

import pytest
from telecine.logging.redaction import Redactor

from tests.client.logging.redaction.kinds import planted

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
_LINE_ENDS = {
    "python": ("\\r", "\\n"),
    "twice": ("\\\\r", "\\\\n"),
    "three times": ("\\\\\\\\r", "\\\\\\\\n"),
    "unicode": ("\\u000d", "\\u000a"),
    "unicode twice": ("\\\\u000D", "\\\\u000A"),
    "bytes": ("\\x0d", "\\x0a"),
    "octal": ("\\015", "\\012"),
    "syslog": ("#015", "#012"),
    "entities": ("&#13;", "&#xA;"),
}
"""How a carriage return and a line feed are written where a text must stay on one line."""
_MANY_LINES = (
    'array(1) {\n  ["password"]=>\n  string(12) "@@"\n}',
    'array(1) {\r\n  ["api_key"]=>\r\n  string(12) "@@"\r\n}',
    "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer @@\r\nCookie: sid=@@; a=b\r\nAccept: */*\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSet-Cookie: session=@@; Path=/\r\nServer: x\r\n\r\n",
    "<config>\n  <password>\n    @@\n  </password>\n</config>",
    "<entry>\n  <key>password</key>\n  <value>@@</value>\n</entry>",
    "<key>password</key>\n\t<string>@@</string>\n",
    'attributes {\n  key: "password"\n  value {\n    string_value: "@@"\n  }\n}\n',
    "Attributes:\n     -> password: Str(@@)\n     -> host: Str(x)\n",
    "password:\n  @@\nuser: ada\n",
    "password: |\n  @@\nuser: ada\n",
    "passwords:\n- @@\nuser: a\n",
    "- name: DB_PASSWORD\n  value: @@\n",
    "--user\nada\n--password\n@@\n--verbose",
    '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n@@\r\n--b--',
    "user,password\nada,@@\nbob,@@\n",
    "| user | password |\n|---|---|\n| ada | @@ |\n",
    '{\n  "user": "ada",\n  "password":\n    "@@"\n}',
    "220 hi\r\nUSER ada\r\nPASS @@\r\nQUIT\r\n",
    "1 validation error for S\ndb.password\n  Input should be x [type=y, input_value='@@', input_type=str]\n",
)
_HARMLESS_LINES = (
    "C:\\new\\password\\next\\token.txt",
    "\\\\srv\\net\\password\\nightly",
    "\\newcommand{\\password}{hidden}",
    'printf("password:\\n%s\\n", name);',
    "'usage: app\\n  --password\\n        the password of the database\\n  --token\\n        from a file'",
    "{'stdout': 'Password:\\nSorry, try again.\\nPassword:\\n'}",
    "'user,password_length,role\\nada,12,admin\\n'",
    "'| Field | Type |\\n|---|---|\\n| password | varchar(255) |\\n'",
    "'max_tokens:\\n  4096\\n'",
    "'password:\\n  type: string\\n  minLength: 8\\n'",
    "'env:\\n- name: DB_PASSWORD\\n  valueFrom:\\n    secretKeyRef:\\n'",
    "'array(1) {\\n  [\"tokens\"]=>\\n  int(512)\\n}'",
    "'def f(password):\\n    return hash(password)\\n'",
    "'HTTP/1.1 401 Unauthorized\\r\\nWWW-Authenticate: Bearer realm=\"x\"\\r\\nX-Length: 0\\r\\n\\r\\n'",
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


@pytest.mark.parametrize("way", _LINE_ENDS)
def test_a_line_end_that_is_escaped_parts_a_name_from_its_value_as_one_that_is_not(way: str) -> None:
    seen = []
    texts = [(form.replace("@@", _SECRET), _SECRET) for form in _MANY_LINES]
    texts += [(one.text, one.needle) for one in planted(1) if "\n" in one.text and "\n" not in one.needle]
    for text, needle in texts:
        carriage_return, feed = _LINE_ENDS[way]
        escaped = f"worker 3 got {text.replace(chr(13), carriage_return).replace(chr(10), feed)}"
        redacted = REDACTOR.redact_text(escaped)[0]
        line = REDACTOR.redact_json_line(json.dumps({"msg": escaped}).encode())[0].decode()
        if needle in redacted or needle in line or REDACTOR.redact_text(redacted)[0] != redacted:
            seen.append((text, redacted))
    assert not seen


@pytest.mark.parametrize("text", _HARMLESS_LINES)
def test_texts_with_escaped_line_ends_stay(text: str) -> None:
    for form in (text, text.replace("\\n", "\\\\n").replace("\\r", "\\\\r")):
        assert REDACTOR.redact_text(form) == (form, {})
        line = json.dumps({"msg": form}).encode()
        assert REDACTOR.redact_json_line(line) == (line, {})


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
