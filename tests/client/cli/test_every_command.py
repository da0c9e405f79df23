"""What holds for every command: the test walks the tree, so that a new one cannot miss it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import telecine.exceptions as sdk
import typer
from telecine.cli import app as cli
from telecine.cli import connection
from telecine.cli.show.advice import advice_for
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import command_line_failures

ARGUMENTS: dict[str, list[str]] = {
    "encode": ["clip.npy", "--fps", "4"],
    "serve encoder": ["--check-config"],
    "serve collector": ["--check-config"],
    "serve all": ["--listen", "not an address"],
    "jobs list": [],
    "jobs show": ["x"],
    "jobs watch": ["x"],
    "jobs cancel": ["x"],
    "jobs delete": ["x"],
    "jobs download": ["x"],
    "jobs preview": ["x"],
    "config show": [],
    "config check": ["telecine.json"],
    "config schema": ["sdk"],
    "logs query": [],
    "logs tail": [],
    "logs watch": [],
    "logs job": ["x"],
    "logs stats": [],
    "logs report": [],
    "logs import": ["old.log"],
    "logs redact": ["old.log"],
    "logs lnav-format": [],
    "keys create": ["--file", "keys.json", "--subject", "x", "--scope", "read"],
    "keys list": ["--file", "keys.json"],
    "keys revoke": ["x", "--file", "keys.json"],
    "stages graph": ["."],
    "stages check": ["."],
    "stages report": ["."],
    "console": ["--listen", "not an address"],
    "capabilities": [],
    "verify": ["."],
    "doctor": [],
    "errors": [],
}
"""Each command with what it needs at least; those that call a server have --server."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return {" ".join(path): command}
    return {name: leaf for key, each in inner.items() for name, leaf in leaves(each, (*path, key)).items()}


COMMANDS = leaves(typer.main.get_command(cli.app))
WITH_SERVER = [name for name, leaf in COMMANDS.items() if any("--server" in p.opts for p in leaf.params)]
WITH_JSON = [name for name, leaf in COMMANDS.items() if any("--json" in p.opts for p in leaf.params)]
NO_JSON = {
    "serve encoder",
    "serve collector",
    "serve all",
    "console",
    "logs watch",
    "logs import",
    "logs lnav-format",
    "config schema",
}
"""Their output is a line of JSON, a screen, or JSON anyway; docs/cli.md and the README name them."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a clip and a log; nothing of the environment's."""
    import numpy as np

    for name in [name for name in os.environ if name.startswith("TELECINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connection, "_FIRST_ANSWER_SECONDS", 0.3)
    np.save(tmp_path / "clip.npy", np.zeros((2, 16, 16, 3), np.uint8))
    (tmp_path / "old.log").write_text('{"level": "INFO", "msg": "x"}\n')
    (tmp_path / "telecine.json").write_text('{"sdk": {}}')
    return tmp_path


def call(name: str, *more: str) -> list[str]:
    return [*name.split(), *ARGUMENTS[name], *more]


def test_every_command_stands_in_the_table() -> None:
    assert set(ARGUMENTS) == set(COMMANDS)
    assert set(COMMANDS) - set(WITH_JSON) == NO_JSON


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_command_and_no_type_of_a_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"telecine {name}" in out
    assert "<bool>" not in out
    assert "\x1b" not in out


@pytest.mark.parametrize("group", ["", *sorted({name.split()[0] for name in COMMANDS if " " in name})])
def test_a_group_alone_shows_its_help_and_no_empty_error(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(group.split()) == ExitCode.USAGE
    said = capsys.readouterr()
    assert "Usage" in said.out + said.err
    assert "Error" not in said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_is_answered_with_the_help_of_that_very_command(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*name.split(), "--no-such-option"]) == ExitCode.USAGE
    assert f"`telecine {name} --help`" in capsys.readouterr().err.replace("\n", " ")
    assert cli.run([*name.split(), "--no-such-option", "--json"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "USAGE"
    assert said.err == ""


@pytest.mark.parametrize("name", WITH_SERVER)
@pytest.mark.parametrize(("address", "said"), [("http://gpu:1", "without"), ("gpu:99999", "65535")])
def test_a_wrong_address_is_refused_at_once(
    name: str, address: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "logs watch":
        pytest.skip("it asks for a terminal first")
    code = cli.run(call(name, "--server", address))
    text = " ".join(capsys.readouterr())
    assert code == (ExitCode.FINDINGS if name == "doctor" else ExitCode.USAGE), text
    assert said in text


@pytest.mark.parametrize("name", WITH_SERVER)
def test_where_nobody_answers_that_is_said_and_it_ends(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "logs watch":
        pytest.skip("it asks for a terminal first")
    code = cli.run(call(name, "--server", "127.0.0.1:1"))
    text = " ".join(capsys.readouterr())
    assert code == (ExitCode.FINDINGS if name == "doctor" else ExitCode.UNAVAILABLE), text
    assert "Connection refused" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", [name for name in WITH_SERVER if name in WITH_JSON])
def test_its_failure_is_one_document(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(call(name, "--server", "127.0.0.1:1", "--json"))
    document = json.loads(capsys.readouterr().out)
    if name == "doctor":
        assert not document["is_healthy"]
    else:
        assert document["error"]["exit_code"] == code == ExitCode.UNAVAILABLE


class Console(io.TextIOWrapper):
    """A standard stream of some encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("arguments", [["doctor"], ["errors"], ["config", "show"], ["verify", "bild-ü-😀"]])
def test_a_console_that_cannot_write_a_character_gets_another_form_of_it(
    encoding: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Console(encoding), Console(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    server = ["--server", "127.0.0.1:1"] if arguments == ["doctor"] else []
    code = cli.run([*arguments, *server])
    assert code == {"doctor": 1, "verify": 2}.get(arguments[0], 0)
    text = out.buffer.getvalue().decode(encoding) + err.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert {"doctor": "x server", "verify": "\\U0001f600"}.get(arguments[0], "") in text


@pytest.mark.parametrize("name", [*COMMANDS, ""])
def test_a_reader_that_goes_away_is_no_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.run([*name.split(), "--help"]) == ExitCode.OK
    if name in {"errors", "config show"}:
        assert cli.run(name.split()) == ExitCode.OK
        assert cli.run([*name.split(), "--json"]) == ExitCode.OK
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        stream.close()


BLOCKED = {
    "encoder": ["av", "PIL", "blake3"],
    "collector": ["re2", "hyperscan", "duckdb", "opentelemetry"],
    "watch": ["textual"],
    "services": ["encoder_service", "log_collector", "service_host"],
    "yaml": ["yaml"],
}


@pytest.mark.parametrize("missing", BLOCKED)
def test_a_missing_extra_ends_no_command_in_a_traceback(missing: str, place: Path) -> None:
    calls = [call(name) for name in COMMANDS]
    calls += [["logs", kind, "--dir", "."] for kind in ("query", "report", "tail")][:2]
    program = textwrap.dedent(f"""
        import sys, contextlib, io, json
        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {BLOCKED[missing]!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Blocked())
        from telecine.cli import app, connection
        connection._FIRST_ANSWER_SECONDS = 0.2
        for arguments in {calls!r}:
            if "--server" not in arguments and arguments[0] in ("jobs", "capabilities", "doctor", "encode"):
                arguments = [*arguments, "--server", "127.0.0.1:1"]
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = app.run(arguments)
            print(json.dumps([arguments, code, (out.getvalue() + err.getvalue())[-2000:]]), flush=True)
    """)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False, cwd=place
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[[")]
    assert len(lines) == len(calls), ran.stderr
    for arguments, code, text in lines:
        assert code != ExitCode.FAULT, (arguments, text)
        assert "Traceback" not in text, arguments
    assert "Traceback" not in ran.stderr


ERRORS = [
    kind for kind in vars(sdk).values() if isinstance(kind, type) and issubclass(kind, sdk.TelecineError)
]
_NAMED = re.compile(r"`telecine ([a-z ]+?)(?: [A-Z].*?)?(?: --[a-z-]+)?`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_PYTHON = re.compile(
    r"(?<!-)\bjob_id\b|`result`|`metadata`|layout=|allow_partial|timeout_seconds|retained_bytes"
)


@pytest.mark.parametrize("name", COMMANDS)
def test_advice_fits_the_command_and_names_what_exists(name: str) -> None:
    failures = [advice_for(kind("x"), f"telecine {name}") for kind in ERRORS]
    if name == "encode":
        failures += [failure.advice for failure in command_line_failures()]
    own = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    for advice in failures:
        assert not _PYTHON.search(advice), advice
        for other in _NAMED.findall(advice):
            assert other in COMMANDS, advice
        if not _NAMED.search(advice) and "pip install" not in advice:
            assert set(_OPTION.findall(advice)) <= own, advice
