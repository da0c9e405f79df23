"""What others do with records: syslog-ng and rsyslog into a file, Rotel from OTLP into nothing."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import psutil

from benchmarks.collector.records import records
from benchmarks.collector.service import Load
from benchmarks.context import Context
from benchmarks.measure import Figures

_START_SECONDS = 20.0
_GIVE_UP_SECONDS = 60.0
_DISTINCT = 50_000
_SYSLOG_NG = """@version: 3.38
@include "scl.conf"
options {{ flush-lines(1000); stats-freq(0); keep-hostname(yes); use-dns(no); chain-hostnames(no); }};
source s {{ network(ip("127.0.0.1") port({port}) transport("tcp") flags(no-parse)
  log-iw-size(100000) log-fetch-limit(1000) max-connections(4)); }};
destination d {{ file("{file}" template("${{MESSAGE}}\\n") fsync({synced})
  log-fifo-size(200000)); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
_RSYSLOG = """module(load="imptcp")
global(workDirectory="{directory}" maxMessageSize="64k")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="r" queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="1000") {{
  action(type="omfile" file="{file}" template="raw" ioBufferSize="256k" flushOnTXEnd="on" sync="{synced}") }}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="r")
"""


def syslog_contenders(context: Context) -> dict[str, Callable[[], Figures]]:
    """Those that are installed; with fsync fewer records, for they sync line by line or nearly so."""
    contenders: dict[str, Callable[[], Figures]] = {}
    for program, command, text in (
        ("syslog-ng", _syslog_ng_command, _SYSLOG_NG),
        ("rsyslogd", _rsyslog_command, _RSYSLOG),
    ):
        if shutil.which(program) is None:
            print(f"  {program} is not installed", file=sys.stderr)
            continue
        for synced, count in (("no", 1_000_000), ("yes", 10_000)):
            name = f"{program} over TCP into one file, fsync {'on' if synced == 'yes' else 'off'}"
            contenders[name] = functools.partial(
                _run_syslog, command, text, synced, max(2_000, context.records(count))
            )
    return contenders


def rotel_contenders(count: int, size: int) -> dict[str, Callable[[], Figures]]:
    """Rotel with the exporter that throws all away: the packaged version has none that writes files."""
    found = importlib.util.find_spec("rotel")
    program = shutil.which("rotel-agent")
    if program is None and found is not None and found.origin is not None:
        program = str(Path(found.origin).parent / "rotel-agent")
    if program is None:
        print("  rotel is not installed", file=sys.stderr)
        return {}
    return {"Rotel, OTLP thrown away (neither disk nor redaction)": lambda: _run_rotel(program, count, size)}


def _run_rotel(program: str, count: int, size: int) -> Figures:
    port, http = _free_port(), _free_port()
    command = [program, "start", "--otlp-grpc-endpoint", f"127.0.0.1:{port}"]
    command += ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--exporter", "blackhole"]
    with _running(command) as process:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(_START_SECONDS)
        load = Load(f"127.0.0.1:{port}", "otlp", count, size)
        before = _cpu_seconds(process)
        report = load.go()
        cpu = _cpu_seconds(process) - before
    return {"rate": report.records / report.seconds, "cpu": cpu / report.records}


def _syslog_ng_command(config: Path, directory: Path) -> list[str]:
    command = ["syslog-ng", "-F", "--no-caps", "-f", str(config), "-R", str(directory / "persist")]
    return [*command, "-p", str(directory / "pid"), "-c", str(directory / "ctl")]


def _rsyslog_command(config: Path, directory: Path) -> list[str]:
    return ["rsyslogd", "-n", "-f", str(config), "-i", str(directory / "pid")]


def _run_syslog(command: Callable[[Path, Path], list[str]], text: str, synced: str, count: int) -> Figures:
    directory = Path(tempfile.mkdtemp(prefix="telecine-bench-"))
    target, config, port = directory / "out.log", directory / "conf", _free_port()
    word = {"no": "off", "yes": "on"}[synced] if "imptcp" in text else synced
    config.write_text(text.format(port=port, file=target, directory=directory, synced=word))
    blocks, size = _blocks(count)
    try:
        with _running(command(config, directory)) as process, _connected(port) as connection:
            before, begin = _cpu_seconds(process), time.perf_counter()
            for block in blocks:
                connection.sendall(block)
            while not target.exists() or target.stat().st_size < size:
                if time.perf_counter() - begin > _GIVE_UP_SECONDS:
                    raise RuntimeError(f"{target.stat().st_size} of {size} bytes were written in time")
                time.sleep(0.002)
            seconds = time.perf_counter() - begin
            return {"rate": count / seconds, "cpu": (_cpu_seconds(process) - before) / count}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@functools.cache
def _lines() -> tuple[bytes, ...]:
    return tuple(record.line() for record in records("worker", _DISTINCT))


def _blocks(count: int) -> tuple[list[bytes], int]:
    """Lines in blocks as a sender would write them, and their length."""
    lines = _lines()
    blocks, size = [], 0
    for first in range(0, count, 1000):
        start = first % len(lines)
        block = b"".join(lines[start : start + min(1000, count - first)])
        blocks.append(block)
        size += len(block)
    return blocks, size


@contextmanager
def _running(command: list[str]) -> Iterator[psutil.Process]:
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield psutil.Process(child.pid)
        except Exception as error:
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"{command[0]} failed: {error}; it said: {said}") from error
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), 1.0)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    connection.settimeout(None)
    with connection:
        yield connection


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
