"""Kinds of secrets, each made anew from a seed, in the forms in which programs log them; and look-alikes."""

from __future__ import annotations

import base64
import json
import random
import string
import urllib.parse
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.client.logging.redaction.placed_kinds import PLACED
from tests.client.logging.redaction.printed_kinds import PRINTED

_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"


class Planted(NamedTuple):
    """A text to log, and what of it must be found nowhere."""

    kind: str
    text: str
    needle: str


def _draw(rng: random.Random, alphabet: str, count: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def password(rng: random.Random) -> str:
    """As a generator of passwords makes them: letters and digits."""
    return f"{_draw(rng, string.ascii_letters, 5)}{_draw(rng, string.digits, 2)}{_draw(rng, _ALNUM, 7)}"


def generated(rng: random.Random) -> str:
    """As programs make them: both cases and digits everywhere, no piece of a word."""
    kinds = (string.ascii_uppercase, string.ascii_lowercase, string.digits)
    return "".join(rng.choice(kinds[i % 3]) for i in range(14))


def card_number(rng: random.Random) -> str:
    """A Visa number with its check digit."""
    body = "4" + _draw(rng, string.digits, 14)
    total = sum(int(c) if i % 2 else sum(divmod(2 * int(c), 10)) for i, c in enumerate(body))
    return body + str(-total % 10)


def iban(rng: random.Random) -> str:
    """A German account number with its check digits."""
    account = _draw(rng, string.digits, 18)
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


_BY_PASSWORD: dict[str, Callable[[str], str]] = {
    "assignment": "password={}".format,
    "environment": "DB_PASSWORD={} started".format,
    "json": lambda s: json.dumps({"user": "ada", "password": s}),
    "json in json": lambda s: json.dumps({"body": json.dumps({"api_key": s})}),
    "json with escapes": lambda s: json.dumps({"body": json.dumps({"password": 'a"b\\' + s, "n": 1})}),
    "doubled key": lambda s: f'{{"token":"{s}","token":1}}',
    "repr": "{{'Authorization': 'Token {}'}}".format,
    "option": "worker --password {} --verbose".format,
    "option with sign": "worker --api-key={} --verbose".format,
    "arguments": lambda s: repr(["app", "--password", s, "--verbose"]),
    "mysql": "ran mysql -uroot -p{} shop".format,
    "curl": "curl -s -u ada:{} https://example.com/x".format,
    "curl long": "curl --user ada:{} https://example.com/x".format,
    "redis-cli": "redis-cli -h cache -a {} ping".format,
    "docker": "docker login -u ada -p {} registry.example.com".format,
    "xml": "<login><password>{}</password></login>".format,
    "xml attribute": '<property name="password" value="{}"/>'.format,
    "cdata": '<ns:password kind="x"><![CDATA[{}]]></ns:password>'.format,
    "url": "postgres://app:{}@db.example.com:5432/clips".format,
    "url with a slash": "postgres://app:a/{}@db.example.com/clips".format,
    "url with a hash": "mongodb+srv://app:p@{}#1@cluster.example.net/clips".format,
    "connection string": "Server=db;User Id=ada;Password={};Timeout=3".format,
    "form": lambda s: f"user=ada&password={s}&next=/",
    "url-encoded form": lambda s: urllib.parse.quote(f"password={s}&user=ada", safe=""),
    "url-encoded json": lambda s: urllib.parse.quote(json.dumps({"secret": s})),
    "base64 of json": lambda s: base64.b64encode(
        json.dumps({"user": "ada", "password": s}).encode()
    ).decode(),
    "base64 in a text": lambda s: "body " + base64.b64encode(f"password={s}".encode()).decode() + " came",
    "header": "X-Api-Key: {}".format,
    "bearer": "sent Authorization: Bearer {}abcdef".format,
    "cookie": "Cookie: theme=dark; session={}".format,
    "prose": "the password is {}".format,
    "prose of an error": "bad password {}".format,
    "prose of a change": "the password was changed to {}.".format,
    "sql": "ALTER USER ada WITH PASSWORD '{}'".format,
    "yaml block": "password: |\n  {}\nuser: ada".format,
    "spanish": "contraseña={}".format,
    "french": "mot de passe : {}".format,
    "german": "Passwort: {}".format,
    "russian": "пароль: {}".format,
    "chinese": "密码：{}".format,
    "cyrillic letter": "р\u0430ssword={}".format,
    "full width": "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44={}".format,
    "zero width": "pass\u200bword={}".format,
    "coloured": "\x1b[36mpassword\x1b[0m=\x1b[35m{}\x1b[0m".format,
    "name and value": lambda s: json.dumps(
        {"name": "DB_PASSWORD", "value": s, "a": 1, "b": 2, "c": 3, "d": 4}
    ),
    "header pairs": lambda s: json.dumps([["authorization", s], ["accept", "*/*"]]),
    "flat list": lambda s: json.dumps(["password", s, "other"]),
    "two assignments": lambda s: json.dumps([f"DB_PASSWORD={s}", "MODE=prod"]),
    "tokens": lambda s: json.dumps({"tokens": [s + s]}),
    "escaped letters": "\\u0070assword={}".format,
}

_OWN: dict[str, Callable[[random.Random], str]] = {
    "aws": lambda r: "AKIA" + _draw(r, string.ascii_uppercase + "234567", 16),
    "aws in a key": lambda r: "err_AKIA" + _draw(r, string.ascii_uppercase + "234567", 16),
    "github": lambda r: "ghp_" + _draw(r, _ALNUM, 36),
    "gitlab": lambda r: "glpat-" + _draw(r, _ALNUM, 20),
    "openai": lambda r: "sk-proj-" + _draw(r, _ALNUM, 48),
    "slack": lambda r: f"xoxb-{_draw(r, string.digits, 12)}-{_draw(r, _ALNUM, 24)}",
    "stripe": lambda r: "sk_live_" + _draw(r, _ALNUM, 24),
    "discord": lambda r: (
        "MTk4" + _draw(r, _ALNUM, 20) + "." + _draw(r, _ALNUM, 6) + "." + _draw(r, _ALNUM, 38)
    ),
    "telegram": lambda r: (
        f"https://api.telegram.org/bot{_draw(r, '123456789', 9)}:AA{_draw(r, _ALNUM, 33)}/getMe"
    ),
    "mailgun": lambda r: "key-" + _draw(r, _HEX, 32),
    "atlassian": lambda r: "ATCTT3xFfGN0" + _draw(r, _ALNUM, 120),
    "doppler": lambda r: "dp.st.prd." + _draw(r, _ALNUM, 43),
    "npm": lambda r: "npm_" + _draw(r, _ALNUM, 36),
    "huggingface": lambda r: "hf_" + _draw(r, string.ascii_letters, 34),
    "vercel": lambda r: "vcp_" + _draw(r, _ALNUM, 56),
    "figma": lambda r: "figd_" + _draw(r, _ALNUM, 40),
    "digitalocean": lambda r: "dop_v1_" + _draw(r, _HEX, 64),
    "jwt": lambda r: f"eyJhbGciOiJIUzI1NiJ9.eyJ{_draw(r, _ALNUM, 40)}.{_draw(r, _ALNUM, 43)}",
    "putty": lambda r: (
        f"PuTTY-User-Key-File-3: x\nPrivate-Lines: 1\nAAAA{_draw(r, _ALNUM, 60)}==\nPrivate-MAC: 00"
    ),
    "pem": lambda r: (
        f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{_draw(r, _ALNUM, 60)}\n-----END RSA PRIVATE KEY-----"
    ),
    "card": card_number,
    "card in groups": lambda r: "paid with " + " ".join(_fours(card_number(r))),
    "card as a number": lambda r: json.dumps({"card": int(card_number(r))}),
    "iban": iban,
    "iban in groups": lambda r: "to " + " ".join(_fours(iban(r))),
    "code": lambda r: "your verification code: " + _draw(r, "123456789", 8),  # six are some microseconds, too
    "bcrypt": lambda r: "$2b$12$" + _draw(r, _ALNUM, 53),
    "sha512 of crypt": lambda r: "root:$6$" + _draw(r, _ALNUM, 12) + "$" + _draw(r, _ALNUM, 86),
    "argon2": lambda r: "$argon2id$v=19$m=65536,t=3,p=4$" + _draw(r, _ALNUM, 22) + "$" + _draw(r, _ALNUM, 43),
    "json web key": lambda r: json.dumps({"kty": "OKP", "crv": "Ed25519", "d": generated(r) * 3}),
    "seed phrase": lambda r: (
        "seed phrase: " + " ".join(_draw(r, string.ascii_lowercase, 6) for _ in range(12))
    ),
    "devops": lambda r: _draw(r, _ALNUM, 52) + "JQQJ99" + _draw(r, _ALNUM, 18) + "AZDO" + _draw(r, _ALNUM, 4),
    "der": lambda r: "MIIEvQIBADANBgkqhkiG9w0" + _draw(r, _ALNUM, 200),
    "pin": lambda r: json.dumps({"pin": _draw(r, "123456789", 6)}),
    "card in dots": lambda r: "card " + ".".join(_fours(card_number(r))),
    "card behind a colon": lambda r: "paid:" + card_number(r),
    "chained": lambda r: "".join("AKIA" + _draw(r, string.ascii_uppercase + "234567", 16) for _ in range(3)),
}


def _fours(text: str) -> list[str]:
    return [text[i : i + 4] for i in range(0, len(text), 4)]


FORMS = {**PLACED, **{f"printed {kind}": template for kind, template in PRINTED.items()}}
"""By their names; `@@` is where the secret stands."""

_NEEDLE_BEGINS = {
    "telegram": ":AA", "putty": "AAAA", "pem": "MIIE", "card in groups": "paid with ",
    "card as a number": ": ",    "iban in groups": "to ", "code": ": ", "aws in a key": "err_",
    "json web key": '"d": "', "seed phrase": ": ", "pin": ': "', "sha512 of crypt": "root:",
    "card in dots": "card ",
    "card behind a colon": "paid:",
}  # fmt: skip


def planted(seed: int) -> Iterator[Planted]:
    """Every kind once, with secrets that no other seed makes."""
    rng = random.Random(seed)
    for kind, form in _BY_PASSWORD.items():
        secret = password(rng)
        yield Planted(kind, form(secret), secret)
    for kind, template in FORMS.items():
        secret = generated(rng)
        yield Planted(kind, template.replace("@@", secret), secret)
    for kind, make in _OWN.items():
        text = make(rng)
        begin = _NEEDLE_BEGINS.get(kind)
        needle = text if begin is None else text[text.index(begin) + len(begin) :]
        yield Planted(kind, text, needle.split("\n")[0].split("/")[0].strip('"}'))


HARMLESS = (
    "IMEI 490154203237518",
    "tests: pass=12 fail=0",
    "x264 pass=2",
    "password: required",
    "class sk-loading-indicator-container",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
    "GET /x?code=ERR_CONNECTION_REFUSED",
    "secrets=3",
    "token='<eos>'",
    'token="<eos>"',
    '{"token":"<eos>","pass":2,"secrets":3,"imei":490154203237518}',
    'password authentication failed for user "postgres"',
    "user asked for a password reset",
    "the password is incorrect",
    "the password is too short",
    "password sha256 computed",
    "fields: ['username', 'password', 'email']",
    '{"fields":["username","password","email"]}',
    "docker run -u 1000:1000 -p 8080:80 nginx",
    "mkdir -p /srv/data",
    "cookie jar is empty",
    "no secret found in api key policy",
    "bearer of bad news, basic configuration loaded",
    "GET /@scope/package:latest https://registry.example.com:8443/@scope/x",
    "0.4111111111111111 1.10 -3.5e-7 1763999999123456789",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256:" + _HEX * 4,
    "max_tokens=77, pad_token=0, prompt_tokens: 512, eos_token_id=2",
    "12μs, 30 °C, naïve café, Привет мир, 你好",
    "AB12CDEF34567890 and SE45 is no account",
    "PWD=/home/worker",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    '["password", "email"]',
    "mysql -u root -h db shop",
    "curl -u https://example.com/x",
    "{'pan': 4, 'tilt': 3, 'card': 'rtx4090'}",
    "%7B%22a%22%3A1%7D",
)
"""Texts that only look like secrets."""
