"""Hostile lines: each takes time in proportion to its length and, whatever it holds, is a record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from telecine.cli.logs.importing import read_records
from telecine.cli.logs.options import zone_of

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
TIME = "2025-01-02 03:04:05"
GOOD = f"{TIME} INFO app.main the line behind it"


def records(*lines: str, zone: str = "Europe/Berlin") -> list[dict[str, Any]]:
    raw = (line.encode("utf-8", "surrogatepass") + b"\n" for line in lines)
    return [json.loads(line) for line in read_records(raw, "old", lambda: NOW, zone_of(zone))]


def docker(text: str) -> str:
    """A line that holds line ends, which no pattern's end of a message takes."""
    return json.dumps({"log": text + "\n\x00", "time": "2025-01-02T03:04:05Z"})


def template(text: str) -> str:
    return json.dumps({"@t": "2025-01-02T03:04:05Z", "@mt": text, "a": "v" * 1000})


SHAPES: dict[str, Callable[[int], str]] = {
    "holes with formats": lambda n: template("{a:" * n),
    "holes": lambda n: template("{a" * n),
    "one long hole": lambda n: template("{" + "a" * n),
    "aligned holes": lambda n: template("{@a,{$a:" * n),
    "filled holes": lambda n: template("{a}" * n),
    "dashes": lambda n: docker(f"{TIME} - " + "a - " * n),
    "brackets": lambda n: docker(f"[{TIME}] " + "[e] " * n),
    "bracket that stays open": lambda n: docker(f"[{TIME}] [" + "a" * n),
    "gunicorn": lambda n: docker(f"[{TIME}] [" + "1" * n),
    "loguru": lambda n: docker(f"{TIME} | ERROR | " + "a:1" * n),
    "loguru's blanks": lambda n: docker(f"{TIME} | ERROR" + " " * n),
    "celery": lambda n: docker(f"[{TIME}: ERROR/" + "a" * n),
    "env_logger's blanks": lambda n: docker(f"[{TIME} ERROR " + " " * n),
    "blanks before a level": lambda n: docker(f"{TIME}" + " " * n),
    "transformers": lambda n: docker("[INFO|" + "a:1" * n),
    "nginx": lambda n: docker(f"{TIME} [error] " + "1#" * n),
    "tensorflow": lambda n: docker(f"{TIME}: E " + "a:1" * n),
    "logger": lambda n: docker(f"{TIME} INFO " + "a." * n),
    "blanks behind a logger": lambda n: docker(f"{TIME} INFO a " + " " * n),
    "marks behind a level": lambda n: docker(f"{TIME} INFO" + " :-" * n),
    "CRI": lambda n: f"{TIME} stdout F {TIME} INFO a" + " " * n + "\r\v",
    "RFC 5424": lambda n: docker(f"<34>1 {TIME} host app 12 - " + "[a] " * n),
    "RFC 5424's words": lambda n: docker(f"<34>1 {TIME} " + "a " * n),
    "RFC 3164": lambda n: docker("<34>Jan  2 03:04:05 host " + "a" * n + "["),
    "journalctl": lambda n: docker(f"{TIME} " + "h-" * n + " a[1" * n),
    "access log": lambda n: docker("a " * n + "[02/Jan/2025:03:04:05 +0000] "),
    "glog": lambda n: docker("E0102 03:04:05.678901  12 " + "a:1" * n),
    "NCCL": lambda n: docker("h-" * n + ":1" * n),
    "uvicorn": lambda n: docker("ERROR:" + " " * n),
    "basicConfig": lambda n: docker("ERROR:" + "a." * n),
    "a time and blanks": lambda n: docker(f"[{TIME}]" + " " * n),
    "durations": lambda n: f"{TIME} INFO a " + "a took 1" * n,
    "digits": lambda n: f"{TIME} INFO a a took " + "1" * n,
    "stages": lambda n: f"{TIME} INFO a Operation " + "Stage a: COMPLETED (" * n,
    "operations": lambda n: f"{TIME} INFO a Operation a completed: " + "{" * n,
    "names of operations": lambda n: f"{TIME} INFO a Operation " + "a." * n,
    "numbers of operations": lambda n: f"{TIME} INFO a Operation a took " + "1.1e1" * n,
    "words": lambda n: "a " * n,
    "levels": lambda n: "-ERROR" * n,
    "errors": lambda n: f"{GOOD}\nTraceback (most recent call last):\n" + "a." * n + "!",
    "digits in JSON": lambda n: '{"a": ' + "9" * n + "}",
    "digits of a time": lambda n: '{"time": "' + "9" * n + '"}',
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_time_for_a_line_grows_with_its_length_alone(shape: Callable[[int], str]) -> None:
    def seconds(size: int) -> float:
        # As long as the other, whatever the shape's unit is.
        lines = shape(max(1, size // max(1, (len(shape(101)) - len(shape(1))) // 100))).split("\n")
        taken = []
        for _ in range(3):
            before = time.process_time()
            assert records(*lines)
            taken.append(time.process_time() - before)
        return min(taken)

    # Four times the length: 4 where linear, 16 where quadratic. What takes no time proves nothing.
    quick = seconds(25_000)
    slow = seconds(100_000)
    assert slow < 0.04 or slow < 9 * quick, (quick, slow)


ODD = {
    "first day": "0001-01-01 00:00:00 INFO x y",
    "first day east": "0001-01-01 00:00:00+2359 INFO x y",
    "last day": "9999-12-31 23:59:59 INFO x y",
    "last day west": "9999-12-31T23:59:59-23:59 INFO x y",
    "year 0": "0000-01-01 00:00:00 INFO x y",
    "no such day": "2025-02-30 25:61:61 INFO x y",
    "no such leap day": "Feb 30 10:00:00 host app[1]: x",
    "access log's first day": 'a b c [01/Jan/0001:00:00:00 +2359] "GET / HTTP/1.1" 500 12',
    "pid of NCCL": "host:" + "9" * 5000 + ":34 [0] NCCL WARN f",
    "pid of gunicorn": f"[{TIME} +0000] [" + "9" * 5000 + "] [INFO] B",
    "pid of syslog": "Jan  2 03:04:05 host app[" + "9" * 30 + "]: x",
    "pid of glog": "E0102 03:04:05.678901  " + "9" * 5000 + " file.go:12] f",
    "line of loguru": f"{TIME} | ERROR | a:b:" + "9" * 5000 + " - x",
    "line of glog": "E0102 03:04:05.678901  12 file.go:" + "9" * 5000 + "] f",
    "priority": "<999>Jan  2 03:04:05 host app[12]: f",
    "JSON's first day": '{"time":"0001-01-01T00:00:00","msg":"a","level":"INFO"}',
    "JSON's last day": '{"time":"9999-12-31T23:59:59","msg":"a"}',
    "year 10000": '{"time":"10000-01-01T00:00:00","msg":"a"}',
    "negative epoch": '{"time":-1e300,"msg":"a"}',
    "NaN epoch": '{"time":NaN,"msg":"a"}',
    "text NaN": '{"time":"NaN","msg":"a"}',
    "infinite epoch": '{"time":1e999,"msg":"a"}',
    "long epoch": '{"time":' + "9" * 5000 + ',"msg":"a","level":30}',
    "pino's epoch": '{"time":' + "9" * 300 + ',"msg":"a","level":30,"pid":1,"hostname":"h"}',
    "journald's epoch": '{"__REALTIME_TIMESTAMP":"' + "9" * 5000 + '","PRIORITY":"99"}',
    "journald's pid": '{"__REALTIME_TIMESTAMP":"1","_PID":"' + "9" * 19 + '"}',
    "journald's bytes": '{"__REALTIME_TIMESTAMP":[1],"MESSAGE":[1e3,-1,' + "9" * 30 + "]}",
    "log4j's epoch": '{"instant":{"epochSecond":' + "9" * 18 + "}}",
    "log4j's negative epoch": '{"instant":{"epochSecond":-' + "9" * 18 + ',"nanoOfSecond":-5},"level":"I"}',
    "log4j's huge epoch": '{"instant":{"epochSecond":' + "9" * 5000 + "}}",
    "GELF's level": '{"short_message":5,"version":1,"level":' + "9" * 19 + "}",
    "lone surrogate": '{"msg":"\\ud800","time":1,"level":30}',
    "bytes of a surrogate": '{"msg":"\ud800"}',
    "deep JSON": '{"a":' * 100_000,
    "deep lists": '{"a":' + "[" * 5000 + "]" * 5000 + "}",
    "deep record of an operation": 'Operation x completed: {"context":{"a":' + "[" * 5000 + "]" * 5000 + "}}",
    "duration": "a took 1" + "0" * 400 + " s",
    "exponent": "a took 1e999 s",
    "duration of an operation": 'Operation x completed: {"duration":1e308,"context":{"service":{"a":2}}}',
    "digits": '{"a":' + "9" * 5000 + "}",
}  # fmt: skip


@pytest.mark.parametrize("zone", ["Europe/Berlin", "-12:00", "+14:00"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_line_is_a_record_and_so_are_those_behind_it(odd: str, zone: str) -> None:
    found = records(odd, GOOD, odd, GOOD, zone=zone)
    assert len(found) == 4
    assert [found[1]["msg"], found[3]["msg"]] == ["the line behind it"] * 2


def test_an_odd_field_stays_text_and_the_others_are_read() -> None:
    (found,) = records("host:" + "9" * 5000 + ":34 [0] NCCL WARN f")
    assert (found["host"], found["pid"], found["level"], found["msg"]) == ("host", "9" * 5000, "WARN", "f")
    (found,) = records('{"time":"0001-01-01T00:00:00","msg":"a","level":"ERROR"}')
    assert (found["timestamp"], found["msg"], found["level"]) == ("0001-01-01T00:00:00", "a", "ERROR")


def test_a_long_value_in_many_holes_of_a_template_takes_no_more_than_a_message() -> None:
    line = json.dumps({"@t": "2025-01-02T03:04:05Z", "@mt": "{a}" * 100_000, "a": "v" * 10_000})
    (found,) = records(line)
    assert 64_000 < len(found["msg"]) < 500_000
