"""A real child process starts, says where it listens, and ends as its signals and its parent say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import psutil
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from service_host import healthcheck, program
from tests.eventually import eventually
from tests.service_host.tiny_service import NAME, PROGRAM

TINY = str(Path(__file__).with_name("tiny_service.py"))
ROOT = str(Path(__file__).parents[2])


class Child:
    """The tiny service as a program."""

    def __init__(self, *arguments, environ=None, stdin=subprocess.PIPE):
        self.process = subprocess.Popen(
            [sys.executable, TINY, "--listen", "127.0.0.1:0", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT, **(environ or {})},
            text=True,
        )
        self.errors = ""
        self._reader = threading.Thread(target=self._read_errors)
        self._reader.start()

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def listening(self):
        return json.loads(self.process.stdout.readline())

    def end(self, timeout=20):
        """Waits; returns (exit code, rest of stdout, stderr)."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code, self.process.stdout.read(), self.errors

    def close(self):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def child():
    children = []

    def start(*arguments, **options):
        children.append(Child(*arguments, **options))
        return children[-1]

    yield start
    for one in children:
        one.close()


def ask(address, text):
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{NAME}/Single", StringValue.SerializeToString, StringValue.FromString)
        return call(StringValue(value=text), timeout=10).value


def test_it_says_where_it_listens_serves_and_drains_on_sigterm(child):
    tiny = child("--admin-listen", "127.0.0.1:0")
    listening = tiny.listening()
    assert listening["event"] == "listening"
    assert listening["pid"] == tiny.process.pid
    assert listening["admin"]
    assert ask(listening["address"], "hello") == "hello"
    tiny.process.send_signal(signal.SIGTERM)
    code, rest, errors = tiny.end()
    assert (code, rest) == (0, "")
    assert errors.index("tiny: draining") < errors.index('"event": "stopped"') < errors.index("tiny: closed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(child, number):
    tiny = child("--set", "drain_takes_seconds=60", "--set", "host.drain_seconds=60")
    tiny.listening()
    tiny.process.send_signal(number)
    eventually(lambda: "tiny: draining" in tiny.errors)
    tiny.process.send_signal(number)
    code, _, errors = tiny.end()
    assert code == 128 + number
    assert "tiny: closed" not in errors


def test_sigterm_during_a_long_start_ends_it_in_order(child):
    tiny = child("--set", "start_seconds=60s")
    eventually(lambda: "tiny: starting" in tiny.errors)
    tiny.process.send_signal(signal.SIGTERM)
    code, rest, errors = tiny.end()
    assert (code, rest) == (0, "")
    assert "tiny: closed" in errors


@pytest.mark.parametrize(("mode", "is_set"), [("serve", True), ("check", False), ("print", False)])
def test_malloc_is_set_before_anything_else_of_a_service(
    monkeypatch: pytest.MonkeyPatch, mode: str, *, is_set: bool
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(program, "tune_malloc", lambda: calls.append(mode))
    assert program.serve_program(PROGRAM, overrides={"no_such_setting": 1}, mode=mode) == 2
    assert calls == [mode] * is_set


def test_all_faults_are_reported_at_once_and_no_port_opens(child, tmp_path):
    config = tmp_path / "tiny.toml"
    config.write_text('queue_byts = "4KiB"\n[host]\ndrain_seconds = "soon"\nadmin_listen = "9090"\n')
    tiny = child("--config", str(config), "--set", "host.max_calls=0", environ={"TELECINE_TINY_API": "x"})
    code, rest, errors = tiny.end()
    assert (code, rest) == (2, "")
    for said in ("5 faults", '"queue_bytes"?', "host.drain_seconds", "host.max_calls", "TELECINE_TINY_API"):
        assert said in errors
    assert "tiny: starting" not in errors
    assert "Traceback" not in errors


def test_a_fault_of_the_hosts_own_is_among_them(child):
    code, _, errors = child("--admin-listen", "9090", "--set", "host.tls.cert_file=/absent").end()
    assert code == 2
    assert "host.admin_listen: expected" in errors
    assert "host.tls.key_file: cert_file and key_file must be given together" in errors


def test_a_service_that_cannot_start_says_why_in_one_line(child):
    code, rest, errors = child("--set", "start_fault=data_dir is held by process 7").end()
    assert (code, rest) == (1, "")
    assert "tiny: data_dir is held by process 7\n" in errors
    assert "Traceback" not in errors


def test_a_port_in_use_is_one_line_too(child):
    address = (first := child()).listening()["address"]
    code, _, errors = child("--listen", address).end()
    assert code == 1
    assert f"cannot listen on {address}" in errors
    assert first.process.poll() is None


def test_a_malformed_flag_is_a_usage_error(child):
    code, _, errors = child("--set", "no-equals-sign").end()
    assert (code, "KEY=VALUE" in errors) == (2, True)


def test_the_configuration_can_be_shown_and_checked_without_starting(child):
    code, shown, _ = child("--print-config", environ={"TELECINE_TINY_API_TOKEN": "hush"}).end()
    assert code == 0
    assert "(env TELECINE_TINY_API_TOKEN)" in shown
    assert "hush" not in shown
    assert child("--check-config").end()[0] == 0
    assert child("--check-config", "--set", "nothing=1").end()[0] == 2


def test_it_ends_with_its_parent_when_standard_input_closes(child):
    tiny = child("--exit-with-parent")
    tiny.listening()
    tiny.process.stdin.close()
    tiny.process.stdin = None
    code, _, errors = tiny.end()
    assert code == 0
    assert "standard input ended" in errors
    assert "tiny: closed" in errors


PARENT = """
import subprocess, sys, threading
def start():
    global child
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
thread = threading.Thread(target=start)
thread.start()
thread.join()
print(child.stdout.readline().decode(), flush=True)
sys.stdin.read()
"""


def test_it_outlives_the_thread_that_started_it_and_ends_when_the_parent_is_killed():
    command = [sys.executable, TINY, "--listen", "127.0.0.1:0", "--exit-with-parent"]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": ROOT},
    ) as parent:
        listening = json.loads(parent.stdout.readline())
        tiny = psutil.Process(listening["pid"])
        try:
            assert ask(listening["address"], "alive") == "alive"
            parent.kill()
            gone, _ = psutil.wait_procs([tiny], timeout=20)
            assert gone
        finally:
            if tiny.is_running():
                tiny.kill()


def test_the_container_probe_tells_alive_from_dead(child, capsys):
    tiny = child()
    address = tiny.listening()["address"]
    assert healthcheck.main([address]) == 0
    assert eventually(lambda: healthcheck.main([address, "--service", NAME]) == 0)
    assert healthcheck.main([address, "--service", "no.such.Service"]) == 1
    tiny.process.send_signal(signal.SIGTERM)
    tiny.end()
    assert healthcheck.main([address, "--timeout-seconds", "1"]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err
