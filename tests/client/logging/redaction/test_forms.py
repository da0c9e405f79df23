"""Every kind of secret in every form goes, and nothing else does: by the redactor alone."""

from __future__ import annotations

import json
import os

import pytest
from telecine.logging.redaction import Redactor

from tests.client.logging.redaction.kinds import HARMLESS, Planted, planted

REDACTOR = Redactor()
SEEDS = (1, 20261128, int(os.environ["TEST_SEED"]))


@pytest.mark.parametrize("one", [p for seed in SEEDS for p in planted(seed)], ids=lambda one: one.kind)
def test_a_secret_leaves_a_text_a_field_and_a_line(one: Planted) -> None:
    values = [one.text]
    if one.text[:2] in ('{"', '["', "[["):
        values.append(json.loads(one.text))
    for value in values:
        for way in (
            json.dumps(REDACTOR.redact_value({"x": value})[0], ensure_ascii=False),
            REDACTOR.redact_json_line(json.dumps({"msg": "m", "x": value}).encode())[0].decode(),
            REDACTOR.redact_json_line(json.dumps({"msg": value}, ensure_ascii=False).encode())[0].decode(),
        ):
            assert one.needle not in json.dumps(json.loads(way), ensure_ascii=False), way
            assert REDACTOR.redact_json_line(way.encode()) == (way.encode(), {}), "twice changes nothing"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    values = [text, json.loads(text)] if text[:2] in ('{"', '["') else [text]
    for value in values:
        assert REDACTOR.redact_value({"msg": value}) == ({"msg": value}, {})
        line = json.dumps({"msg": value}).encode()
        assert REDACTOR.redact_json_line(line) == (line, {})


@pytest.mark.parametrize(
    ("items", "redacted"),
    [
        (["DB_PASSWORD=s3cretvalue", "MODE=prod"], ["DB_PASSWORD=***redacted***", "MODE=prod"]),
        (["--password=s3cretvalue", "in.mp4"], ["--password=***redacted***", "in.mp4"]),
        (
            ["Authorization: Bearer abcdefgh12345678", "Accept: */*"],
            ["Authorization: ***redacted***", "Accept: */*"],
        ),
        (["x-api-key", "s3cretvalue"], ["x-api-key", "***redacted***"]),
        (["app", "--token", "abc", "in.mp4"], ["app", "--token", "***redacted***", "in.mp4"]),
        (["mysql", "-ps3cret", "shop"], ["mysql", "-p***redacted***", "shop"]),
        (["curl", "-u", "ada:s3cret", "https://h/"], ["curl", "-u", "ada:***redacted***", "https://h/"]),
    ],
)
def test_a_list_loses_its_secret_and_keeps_its_other_elements(items: list[str], redacted: list[str]) -> None:
    assert REDACTOR.redact_value({"argv": items})[0] == {"argv": redacted}


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (b'{"msg":"key AKIAQWERTYUIOPASDFG7","msg":"clean"}', b"AKIA"),
        (b'{"msg":"x","password":"DUPPWONE1","password":null}', b"DUPPWONE1"),
        (b'{"msg":"x","a":{"t":"AKIAQWERTYUIOPASDFG6","t":1}}', b"AKIA"),
        (b'{"msg":"{\\"token\\":\\"DUPPWONE1x\\",\\"token\\":1}"}', b"DUPPWONE1x"),
    ],
)
def test_a_secret_under_a_key_that_comes_again_goes_with_it(line: bytes, secret: bytes) -> None:
    redacted, counts = REDACTOR.redact_json_line(line)
    assert secret not in redacted
    assert counts
    json.loads(redacted)


def test_a_doubled_key_without_a_secret_stays_as_it_is() -> None:
    line = b'{"msg":"x","password":null,"a":1,"a":2}'
    assert REDACTOR.redact_json_line(line) == (line, {})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Settings(api_key=SecretStr('S3cr3tV4lu3xQ9'))", "Settings(api_key=SecretStr('***redacted***'))"),
        ("db(password=Secret(b'S3cr3tV4'), port=5)", "db(password=Secret(b'***redacted***'), port=5)"),
        (
            "SET PASSWORD FOR u = PASSWORD('S3cr3tV4lu3xQ9')",
            "SET PASSWORD FOR u = PASSWORD('***redacted***')",
        ),
        ("rspconfig n1 HMC_passwd=old1pass,new2pass", "rspconfig n1 HMC_passwd=***redacted***"),
        ("rspconfig n1 *_passwd=xyz,123 ip=dhcp", "rspconfig n1 *_passwd=***redacted*** ip=dhcp"),
        ("mount -o username=u,password=S3cr3tV4,ro", "mount -o username=u,password=***redacted***,ro"),
        ("connect password=S3cr3tV4,port=5", "connect password=***redacted***,port=5"),
        ("client_secret S3cr3tV4lu3xQ9 is wrong", "client_secret ***redacted*** is wrong"),
        ("Incorrect API key provided: S3cr3tV4lu3xQ9.", "Incorrect API key provided: ***redacted***."),
        (
            "bmcdiscover --range 10.0.0.1-9 -u admin -p abc",
            "bmcdiscover --range 10.0.0.1-9 -u admin -p ***redacted***",
        ),
        ("ipmitool -H h -U admin -P abc power on", "ipmitool -H h -U admin -P ***redacted*** power on"),
        ("snmpwalk -v2c -c pub1ic h", "snmpwalk -v2c -c ***redacted*** h"),
        ("xfreerdp /u:me /p:S3cr3tV4 /v:h", "xfreerdp /u:me /p:***redacted*** /v:h"),
        ("monerod --rpc-login ada:S3cr3tV4", "monerod --rpc-login ada:***redacted***"),
        ("env STRATUM_PASS=x1y2 PW_FP=ab12cd34", "env STRATUM_PASS=***redacted*** PW_FP=***redacted***"),
        (
            "NPM_AUTH=S3cr3tV4lu3xQ9 http_auth=ada:S3cr3tV4",
            "NPM_AUTH=***redacted*** http_auth=***redacted***",
        ),
    ],
)
def test_secrets_of_public_bug_reports_go_and_what_stands_beside_them_stays(text: str, left: str) -> None:
    assert REDACTOR.redact_value({"msg": text})[0] == {"msg": left}
    line = json.dumps({"msg": text}).encode()
    assert json.loads(REDACTOR.redact_json_line(line)[0]) == {"msg": left}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("render_pass", "beauty"), ("first_pass", "2"), ("proxy_pass", "http://backend"),
        ("has_auth", "kerberos"), ("device_code", "h200"), ("session_id", "S3cr3tV4lu3xQ9"),
        ("content_hash", "ab12cd34ef56"), ("film_hash", "ab12cd34ef56"), ("cache_key", "frames/2024/x1.mp4"),
        ("tls_key", "/etc/tls/server1.key"), ("csrf", "enabled"),
        ("pw", 12), ("mpw", "ab12cd34ef56"),
    ],
)  # fmt: skip
def test_keys_that_only_resemble_those_of_secrets_keep_their_values(key: str, value: object) -> None:
    assert REDACTOR.redact_value({key: value}) == ({key: value}, {})


@pytest.mark.parametrize(
    "text",
    [
        "secret default-token-abcde12345 was mounted", "unexpected token abcde12345", 'get_secret("db1-key")',
        "password('name')", "openssl s_client -connect h:443", "snmpwalk -v3 h", "ipmitool -H h sdr",
        "xmrig --threads 4", "passwd=prompt,3 tries",
    ],
)  # fmt: skip
def test_texts_that_only_resemble_those_of_secrets_stay(text: str) -> None:
    assert REDACTOR.redact_value({"msg": text}) == ({"msg": text}, {})


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("client_secret[]=a1B2c3D4e5&x=1", "a1B2c3D4e5"), ("password[0]=hunter2x", "hunter2x"),
        ("password%5B12%5D=hunter2x&b=c", "hunter2x"), ("token[]=a1B2c3D4e5F6g7H8", "a1B2c3D4e5F6g7H8"),
        ("--user\nada\n--password\nhunter2x\n--verbose", "hunter2x"),
        ("--api-key\r\n  a1B2c3D4e5F6g7", "a1B2c3D4e5F6g7"),
    ],
)  # fmt: skip
def test_fields_of_forms_and_options_of_one_line_each_name_secrets(text: str, secret: str) -> None:
    redacted, counts = REDACTOR.redact_value({"msg": text})
    assert secret not in redacted["msg"]
    assert sum(counts.values()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "  --password\n        the password of the database\n  --token\n        read from the environment",
        "--password\n--user\nada12345", "secret[0] = 0x12;", "password[i] = read_line()", "tokens[3]=the",
    ],
)  # fmt: skip
def test_help_texts_and_indexed_names_stay(text: str) -> None:
    assert REDACTOR.redact_value({"msg": text}) == ({"msg": text}, {})
