"""`telecine keys` makes keys that a service takes, and shows each of them once."""

from __future__ import annotations

import json
import threading

import pytest
from telecine.cli import app as cli
from telecine.logging.redaction.redactor import Redactor

from service_host.auth.key_file import hash_of, read_keys


@pytest.fixture
def run(tmp_path, capsys):
    def run(*arguments):
        code = cli.run(["keys", *arguments, "--file", str(tmp_path / "keys.json")])
        return code, capsys.readouterr()

    return run


def test_a_key_is_made_listed_and_revoked(run, tmp_path):
    code, said = run("create", "--subject", "ann", "--tenant", "studio-a", "--scope", "read", "--json")
    made = json.loads(said.out)
    assert code == 0
    assert made["stored"]["tenant"] == "studio-a"
    assert hash_of(made["key"]) == read_keys(tmp_path / "keys.json")[0].sha256
    _, said = run("list")
    assert made["stored"]["id"] in said.out
    assert made["key"] not in said.out
    for _ in range(2):
        code, said = run("revoke", made["stored"]["id"], "--json")
        assert code == 0
        assert json.loads(said.out)["revoked_at"]
    assert read_keys(tmp_path / "keys.json")[0].revoked_at is not None


def test_for_people_the_key_alone_goes_to_standard_output(run):
    _, said = run("create", "--subject", "ann", "--scope", "read", "--expires-days", "90")
    assert said.out.startswith("tlc_")
    assert len(said.out.split()) == 1
    assert "keep it as a secret" in said.err
    assert said.out.strip() not in said.err


def test_a_key_for_a_page_says_for_which(run, tmp_path):
    page = ["--origin", "https://app.example", "--origin", "http://localhost:3000"]
    code, said = run("create", "--subject", "shop", "--scope", "logs.write", *page, "--json")
    assert code == 0
    assert json.loads(said.out)["stored"]["origins"] == page[1::2]
    assert read_keys(tmp_path / "keys.json")[0].origins == tuple(page[1::2])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ["create", "--subject", "a", "--scope", "read", "--origin", "https://a.b"],
            "logs.write and no other",
        ),
        (["create", "--subject", "a", "--scope", "logs.write", "--origin", "https://a.b/"], "cannot be made"),
        (["create", "--subject", "a", "--scope", "logs.write", "--origin", "*"], "cannot be made"),
        (["create", "--subject", "ann", "--scope", "root"], "'root'"),
        (["create", "--subject", "a b", "--scope", "read"], "cannot be made"),
        (["create", "--subject", "ann", "--tenant", "../x", "--scope", "read"], "cannot be made"),
        (["revoke", "abcdefghijkl"], "has no key"),
        (["list"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_said(run, arguments, fault):
    code, said = run(*arguments)
    assert code == 2
    assert fault in said.err.replace("\n", " ")


def test_keys_made_at_the_same_time_are_all_there(tmp_path):
    file = tmp_path / "keys.json"
    arguments = ["keys", "create", "--subject", "ann", "--scope", "read", "--file", str(file)]
    threads = [threading.Thread(target=cli.run, args=(arguments,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_keys(file)) == 6


def test_a_key_in_a_log_is_redacted(run):
    _, said = run("create", "--subject", "ann", "--scope", "read")
    key = said.out.strip()
    text, counts = Redactor().redact_text(f"connecting with {key}")
    assert key[17:] not in text
    assert counts
