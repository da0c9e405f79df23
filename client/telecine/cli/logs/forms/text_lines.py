"""Reads log lines of plain text: the forms of the usual loggers, and whatever begins with a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from telecine.cli.logs.forms.json_lines import syslog_level
from telecine.logging.catalogue import LEVEL_ALIASES

Fields = dict[str, Any]

_TIME: Final = (
    r"(?P<time>\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|[+-]\d\d:?\d\d)(?![\d:]))?)"
)
_DAY: Final = r"(?P<day>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d)"
_WORD: Final = r"[A-Za-z]{3,12}"
_PRIORITY: Final = r"<(?P<priority>\d{1,3})>"
_PID: Final = r"\[(?P<pid>\d+)\]"
_PLACE: Final = r"(?P<logger>[^ ]+?):(?P<function>[^ :]+):(?P<line>\d+)"
_MONTH_DAY: Final = r"(?P<glog>\d{4} \d\d:\d\d:\d\d(?:\.\d{1,6})?)"
_NAME: Final = r"[A-Za-z_][\w.$-]*"
_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        # 2025-11-11 22:30:45 - job_processor - INFO - Processing job
        rf"{_TIME} - (?P<logger>[^ ]+) - (?P<level>{_WORD}) - (?P<msg>.*)",
        # gunicorn: [2025-01-02 03:04:05 +0000] [12] [INFO] Booting
        rf"\[{_TIME}\] ?\[(?P<pid>\d+)\] ?\[(?P<level>{_WORD})\] ?(?P<msg>.*)",
        # [2025-11-27 14:09:15] [pipeline] [INFO] Stage demux: STARTING
        rf"\[{_TIME}\] ?\[(?P<logger>[^\]]+)\] ?\[(?P<level>{_WORD})\] ?(?P<msg>.*)",
        # loguru: 2025-01-02 03:04:05.678 | ERROR    | app.main:run:12 - failure
        rf"{_TIME} \| (?P<level>{_WORD}) *\| {_PLACE} - (?P<msg>.*)",
        rf"{_TIME} \| (?P<level>{_WORD}) *\| (?P<msg>.*)",
        # celery: [2025-01-02 03:04:05,678: ERROR/MainProcess] Task failed
        rf"\[{_TIME}: (?P<level>{_WORD})/(?P<thread>[^\]]+)\] ?(?P<msg>.*)",
        # env_logger: [2025-01-02T03:04:05Z ERROR app::module] failed
        rf"\[{_TIME} +(?P<level>{_WORD}) ++(?P<logger>[^\]]+)\] ?(?P<msg>.*)",
        # transformers: [INFO|trainer.py:12] 2025-01-02 03:04:05,678 >> step
        rf"\[(?P<level>{_WORD})\|(?P<module>[^\]:]+):(?P<line>\d+)\] {_TIME} >> (?P<msg>.*)",
        # nginx: 2025/01/02 03:04:05 [error] 12#0: *1 open() failed
        rf"{_TIME} \[(?P<level>{_WORD})\] (?P<msg>\d+#\d+: .*)",
        # tensorflow: 2025-01-02 03:04:05.678901: E core/file.cc:12] failed
        rf"{_TIME}: (?P<letter>[IWEF]) (?P<module>[^\]:]+):(?P<line>\d+)\] (?P<msg>.*)",
        # 2026-11-21 03:51:14.123 INFO     worker.denoise step finished
        rf"{_TIME} +\[?(?P<level>{_WORD})\]?:? +(?P<logger>[A-Za-z_][\w.]*)[: ] *+(?P<msg>.*)",
        rf"{_TIME}[ -]+\[?(?P<level>{_WORD})\]?[ :-]++(?P<msg>.*)",
        # CRI: 2025-01-02T03:04:05.678901234Z stderr F line
        rf"{_TIME} (?P<stream>stdout|stderr) (?P<part>[FP]) (?P<inner>.*)",
        # RFC 5424: <34>1 2025-01-02T03:04:05Z host app 12 - - failed
        rf"{_PRIORITY}1 {_TIME} (?P<host>\S+) (?P<logger>\S+) \S+ \S+ (?:-|\[[^\]]*+\]) ?(?P<msg>.*)",
        # RFC 3164: Jan  2 03:04:05 host app[12]: failed
        rf"(?:{_PRIORITY})?{_DAY} (?P<host>\S+) (?P<logger>[^\s:\[]+)(?:{_PID})?: (?P<msg>.*)",
        # journalctl -o short-iso
        rf"{_TIME} (?P<host>[\w.-]+) (?P<logger>[^\s:\[]+){_PID}: (?P<msg>.*)",
        # Access logs: 10.0.0.1 - - [02/Jan/2025:03:04:05 +0000] "GET / HTTP/1.1" 500 12
        r'(?P<msg>\S+ \S+ \S+ \[(?P<clf>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] ".*)',
        # glog, klog, absl, torch: E0102 03:04:05.678901  12 file.go:12] failed
        rf"(?P<letter>[IWEF]){_MONTH_DAY} +(?P<pid>\d+) (?P<module>[^\]:]+):(?P<line>\d+)\] ?(?P<msg>.*)",
        # NCCL: host:12:34 [0] NCCL WARN failed
        rf"(?P<host>[\w.-]+):(?P<pid>\d+):\d+ \[\d+\] (?P<logger>NCCL) (?P<level>{_WORD}) (?P<msg>.*)",
        # uvicorn, and stdlib's basicConfig: no time
        r"(?P<level>TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL): {2,}+(?P<msg>.*)",
        rf"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<logger>{_NAME}):(?P<msg>.*)",
        # Whatever begins with a time.
        rf"[\[(]?{_TIME}[\])]?[:,]? *+(?P<msg>.*)",
    )
)
_LEVEL_WORD: Final = re.compile(
    r"(?<![\w-])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|ALERT|PANIC|EMERGENCY)(?![\w-])"
)
_LEVEL_WITHIN: Final = 100
_LETTERS: Final = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}
_NUMBERS: Final = frozenset({"pid", "line"})
_MAX_DIGITS: Final = 18
"""Of a number that JSON lines can hold as one; a longer row of digits stays text."""


def read_text(text: str, now: datetime, zone: tzinfo | None = None) -> Fields | None:
    """The record that a line is; None: it has none of the known forms.

    A record of a form that states no time has none. A line that another one wraps (CRI) stands in `inner`,
    and its first parts have the `part` P. `now` gives the year of times that have none, `zone` is that
    of times that name none (None: this machine's).
    """
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        found: Fields = {name: value for name, value in match.groupdict().items() if value is not None}
        if "level" in found and found["level"].upper() not in LEVEL_ALIASES and found["level"] != "SUCCESS":
            continue
        try:
            moment = _moment(found, now, zone)
            if moment is not None:
                found["timestamp"] = moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            # No such day, or one at either end of the calendar that UTC cannot have.
            continue
        if "priority" in found:
            found["level"] = syslog_level(int(found.pop("priority")))
        if "letter" in found:
            found["level"] = _LETTERS[found.pop("letter")]
        for name in _NUMBERS & found.keys():
            found[name] = int(found[name]) if len(found[name]) <= _MAX_DIGITS else found[name]
        if "inner" not in found:
            found.setdefault("level", guessed_level(found["msg"]))
        return found
    return None


def guessed_level(text: str) -> str:
    """The first level in capitals near the beginning of a line, else INFO."""
    match = _LEVEL_WORD.search(text[:_LEVEL_WITHIN])
    return match[1] if match is not None else "INFO"


def _moment(found: Fields, now: datetime, zone: tzinfo | None) -> datetime | None:
    if "time" in found:
        text = found.pop("time").replace(",", ".").replace("/", "-")
        whole = re.sub(r"(\.\d{6})\d+", r"\1", text)
        moment = datetime.fromisoformat(
            re.sub(r" (?=[Z+-])", "", whole[:10] + whole[10:].replace(" ", "T", 1))
        )
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    if "clf" in found:
        return datetime.strptime(found.pop("clf"), "%d/%b/%Y:%H:%M:%S %z")
    if "day" in found:
        return _in_year(found.pop("day"), "%b %d %H:%M:%S", now, zone)
    if "glog" in found:
        text = found.pop("glog")
        return _in_year(text if "." in text else f"{text}.0", "%m%d %H:%M:%S.%f", now, zone)
    return None


def _in_year(text: str, form: str, now: datetime, zone: tzinfo | None) -> datetime:
    """The latest such moment that is not in the future."""
    local = now.astimezone(zone)
    moment = datetime.strptime(f"{local.year} {text}", f"%Y {form}").replace(tzinfo=zone).astimezone(zone)
    if moment > local + timedelta(days=1):
        year = local.year - 1
        moment = datetime.strptime(f"{year} {text}", f"%Y {form}").replace(tzinfo=zone).astimezone(zone)
    return moment
