"""Source code in tracebacks, placeholders and ids in texts are no secrets; what stands beside them is."""

from __future__ import annotations

import json

import pytest
from telecine.logging.redaction import Redactor

REDACTOR = Redactor()

_HARMLESS = (
    'password = getpass.getpass("Password: ")',
    "token = self._next_token()",
    "if password == other.password:",
    'secret = os.environ["SECRET"]',
    'api_key = os.getenv("OPENAI_API_KEY")',
    'headers = {"Authorization": f"Bearer {token}"}',
    'token = request.headers.get("Authorization")',
    "client = Client(password=config.password, timeout=3)",
    "password: Optional[str] = None",
    "self.token = token",
    "login(user, password=password)",
    "secret_key = settings.SECRET_KEY",
    "const token = await getToken();",
    "const password = req.body.password;",
    'password := r.FormValue("password")',
    'input[type="password"]:focus { outline: none }',
    "PASSWORD=${DB_PASSWORD}",
    "password: ${{ secrets.DB_PASSWORD }}",
    "password={{ vault.password }}",
    "api_key=YOUR_API_KEY",
    "token=REDACTED",
    "auth=off",
    "auth: basic",
    "credentials: include",
    "set <your-api-key> in the settings and try again, as the page says",
    '"Reconciling" secret="default/db-credentials" namespace="default"',
    "job_id=4111111111111111",
    "{'seed': 4242424242424242, 'frame': 4111111111111111}",
    "at frame 4111111111111111 of the clip",
)
_SECRET = (
    ('{"loss": NaN, "\\u043f\\u0430\\u0440\\u043e\\u043b\\u044c": "Zq47hunter"}', "Zq47hunter"),
    ("password=Ab3dE4.fG5", "Ab3dE4.fG5"),
    ("password = xK9(2jdQ)", "xK9(2jdQ"),
    ('password=PASSWORD("Zq47hunter")', "Zq47hunter"),
    ("PASSWORD=${DB_PASSWORD:-Zq47hunter}", "Zq47hunter"),
    ("Driver={ODBC};Uid=sa;PWD={Zq47hunter};", "Zq47hunter"),
    ("<password>Zq47hunter</password>", "Zq47hunter"),
    ("<api-key>Zq47hunter", "Zq47hunter"),
    ("authorization: Bearer Zq47hunterZq47hunter", "Zq47hunter"),
    ("job_id=7 card 4111111111111111 taken", "4111111111111111"),
    ("card=4111111111111111", "4111111111111111"),
)
_TRACEBACK = """Traceback (most recent call last):
  File "a.py", line 3, in login
    password = getpass.getpass("Password: ")
  File "b.py", line 7, in read
    token = self._next_token()
    send("user: ", name, "secret: ")
ValueError: nothing came
"""


@pytest.mark.parametrize("text", _HARMLESS)
def test_expressions_and_placeholders_stay(text: str) -> None:
    assert REDACTOR.redact_text(text)[0] == text
    line = json.dumps({"msg": text}).encode()
    assert REDACTOR.redact_json_line(line)[0] == line


@pytest.mark.parametrize(("text", "secret"), _SECRET)
def test_values_among_code_do_not(text: str, secret: str) -> None:
    assert secret not in REDACTOR.redact_text(text)[0]
    assert secret.encode() not in REDACTOR.redact_json_line(json.dumps({"msg": text}).encode())[0]


def test_no_line_of_a_traceback_is_lost() -> None:
    assert REDACTOR.redact_text(_TRACEBACK)[0] == _TRACEBACK


@pytest.mark.parametrize("key", ["password=Zq47hunter", "token: Zq47hunter9", "a password=Zq47hunter x"])
def test_a_key_that_holds_a_secret_itself_is_redacted_whatever_its_length(key: str) -> None:
    line = json.dumps({key: 1, "cfg": {key: {}}}).encode()
    redacted = REDACTOR.redact_json_line(line)[0]
    assert b"Zq47hunter" not in redacted
    assert REDACTOR.redact_json_line(redacted)[0] == redacted
    assert "Zq47hunter" not in str(REDACTOR.redact_value({key: 1})[0])


@pytest.mark.parametrize(
    "words", [["password", "changed"], ["PASS", "tests/auth.test.js"], ["token", "ring"], ["secret:", "yes"]]
)
def test_two_words_of_a_sentence_are_no_pair(words: list[str]) -> None:
    assert REDACTOR.redact_value(words)[0] == words
    assert REDACTOR.redact_value(["password", "Zq47hunter"])[0] != ["password", "Zq47hunter"]
