"""Records of signal handlers, finalizers, gc callbacks and tracers, which interrupt another record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.tiny_collector import TinyCollector

# Every way counts what it says as `interrupt`, while the main thread logs.
WAYS = {
    "a signal handler": """
signal.signal(signal.SIGALRM, lambda *_: interrupt())
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
end = time.monotonic() + 1.0
while time.monotonic() < end: say('busy')
signal.setitimer(signal.ITIMER_REAL, 0)
""",
    "signal handlers that interrupt each other": """
signal.signal(signal.SIGALRM, lambda *_: interrupt())
signal.signal(signal.SIGVTALRM, lambda *_: interrupt())
signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.002, 0.002)
end = time.monotonic() + 1.0
while time.monotonic() < end: say('busy')
signal.setitimer(signal.ITIMER_VIRTUAL, 0); signal.setitimer(signal.ITIMER_REAL, 0)
""",
    "__del__": """
class Dying:
    def __repr__(self):
        Other()
        return 'dying'
class Other:
    def __del__(self): interrupt()
for n in range(50): say('shows %r', Dying())
""",
    "a weakref callback": """
import weakref
class Thing: pass
class Shown:
    def __repr__(self):
        thing = Thing()
        ref = weakref.ref(thing, lambda _: interrupt())
        del thing
        return 'shown'
for n in range(50): say('shows %r', Shown())
""",
    "a callback of the garbage collector": """
import gc
gc.callbacks.append(lambda phase, _info: interrupt() if phase == 'start' else None)
gc.set_threshold(50)
for n in range(300): say('busy %s', [[] for _ in range(20)])
gc.callbacks.clear()
""",
    "a tracer": """
busy = False
def tracer(frame, event, arg):
    global busy
    if not busy and frame.f_code.co_name in ('append', '_line', 'emit', 'write', 'fields_json'):
        busy = True
        interrupt()
        busy = False
    return None
sys.settrace(tracer)
for n in range(30): say('busy')
sys.settrace(None)
""",
    "a profiler": """
busy = False
def profiler(frame, event, arg):
    global busy
    if not busy and event == 'c_call' and getattr(arg, '__name__', '') in ('write', 'join', 'encode'):
        busy = True
        interrupt()
        busy = False
sys.setprofile(profiler)
for n in range(30): say('busy')
sys.setprofile(None)
""",
}

SAYS = {
    "stdlib": "import logging as l\nsay = l.getLogger('app').info\nspeak = l.getLogger('app').warning\n",
    "ours": "say = get_logger('app').info\nspeak = get_logger('app').warning\n",
}

COUNT = """
start(flush_seconds=20, file_max_bytes=1 << 30)
import itertools
numbers = itertools.count(1)
count = 0
def interrupt():
    # In any thread: a number is drawn once.
    global count
    number = next(numbers)
    count = max(count, number)
    speak('interrupt %d', number)
"""


@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_no_record_that_interrupts_another_is_lost(
    run_program: RunProgram, tmp_path: Path, way: str, says: str
) -> None:
    with TinyCollector() as collector:
        source = COUNT + says + way + "print(count)\nprint(logging_stats()['failures'])"
        out, err = run_program(source, collector.address).communicate(timeout=60)
        assert out, err
        # What another thread was about to log at the end is shipped by the next start.
        run_program("start(flush_seconds=20)", collector.address).communicate(timeout=60)
        count, failures = map(int, out.split())
        assert count > 0
        assert failures == 0
        records = [json.loads(line) for line in (tmp_path / "worker.log").read_bytes().splitlines()]
        expected = sorted(f"interrupt {n}" for n in range(1, count + 1))
        assert sorted(r["msg"] for r in records if r["msg"].startswith("interrupt")) == expected
        assert sorted(m for m in collector.messages() if m.startswith("interrupt")) == expected
