"""Programs that close descriptors that they do not know, as daemons do: logging goes on, in its own files."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest
from telecine.logging.forked.descriptors import open_high
from telecine.logging.outputs.files import RotatingFile
from telecine.logging.outputs.rendering import Format, renderer

from tests.client.logging.conftest import RunProgram
from tests.client.logging.shipping.test_forked_children import ended
from tests.client.logging.shipping.tiny_collector import TinyCollector
from tests.eventually import eventually

DAEMON = """
log = start(flush_seconds=5)
log.info('0')
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
if WHEN == 'late':
    log.info('1')
    assert flush_logging(30)  # a helper that is being started has descriptors too
answer = os.dup(1)
os.dup2(answer, 300)
for fd in range(FIRST, 4096):
    if fd != 300:
        try: os.close(fd)
        except OSError: pass
own = [open(f'{sys.argv[1]}/own{n}', 'wb', buffering=0) for n in range(20)]
for number in range(2, 12):
    log.error(str(number))
    for file in own: file.write(b'own')
said = flush_logging(30)
sizes = [os.path.getsize(f.name) for f in own]
os.write(300, json.dumps([said, sizes, logging_stats()['failures']]).encode())
"""


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("when", ["early", "late"])
def test_a_daemon_that_closes_all_descriptors_goes_on_logging_and_keeps_its_own_files(
    run_program: RunProgram, tmp_path: Path, first: int, when: str
) -> None:
    source = f"import json\nFIRST, WHEN = {first}, {when!r}\n{DAEMON}"
    expected = [str(number) for number in range(12) if number != 1 or when == "late"]
    with TinyCollector() as collector:
        said = ended(run_program(source, collector.address))
        assert json.loads(said) == [True, [30] * 20, 0]
        # The flush waits for the daemon's own records; the first process's are adopted beside them.
        eventually(lambda: sorted(collector.messages(), key=int) == expected, says="all records arrive once")
        assert collector.duplicates == 0
    written = [json.loads(line)["msg"] for line in (tmp_path / "worker.log").read_text().splitlines()]
    assert written == expected
    errors = [json.loads(line)["msg"] for line in (tmp_path / "errors.log").read_text().splitlines()]
    assert errors == expected[-10:]


def test_a_file_of_the_program_that_got_the_number_is_neither_written_nor_cut_nor_closed(
    tmp_path: Path,
) -> None:
    now = [0.0]
    file = RotatingFile(tmp_path / "a.log", renderer(Format.JSON), 0, 20, backups=0, clock=lambda: now[0])
    file.write(b"first line\n")
    number = file._fd
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    os.write(theirs, b"of the program")
    os.dup2(theirs, number)
    now[0] += 1
    file.write(b"second line\n")
    file.close()
    assert (tmp_path / "theirs").read_bytes() == b"of the program"
    assert os.write(number, b".") == 1
    assert (tmp_path / "a.log").read_bytes() == b"second line\n"
    os.close(number)
    os.close(theirs)


def test_long_lived_descriptors_are_out_of_the_way_and_fit_into_a_small_limit(tmp_path: Path) -> None:
    first, second = (open_high(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in "ab")
    low = os.open(tmp_path / "c", os.O_WRONLY | os.O_CREAT)
    assert low < min(first, second)
    os.close(first)
    third = open_high(tmp_path / "a", os.O_WRONLY)
    assert third != first, "a number comes again late"
    assert not os.get_inheritable(third)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (third, hard))
    try:
        small = open_high(tmp_path / "a", os.O_WRONLY)
        assert third // 2 <= small < third
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for fd in (low, second, third, small):
        os.close(fd)
