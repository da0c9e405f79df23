"""Whatever kills a stage's process, its manifest can be read, tells the truth, and is known to be dead."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
from pathlib import Path

import pytest
from telecine.stages import Stage, StageBusyError, StageState, StageStatus, check_job, read_job, read_manifest

from tests.client.stages.conftest import StartProgram
from tests.eventually import eventually

TRACKING = """
with Stage("asr", job) as stage:
    say("started")
    number = 0
    while True:
        path = stage.output_path(f"{number % 40}.txt")
        path.write_text(f"content {number % 40}")
        stage.track_output(path, "text", number=number)
        number += 1
"""

WAITING = """
stage = Stage("asr", job)
path = stage.output_path("a.txt"); path.write_text("a"); stage.track_output(path, "text")
say("started")
sys.stdin.readline()
"""


def started(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "started\n", (line, process.stderr.read() if process.stderr else "")
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(20)


def states(job_dir: Path) -> dict[str, StageState]:
    return {record.name: record.state for record in read_job(job_dir).stages}


def test_kills_at_any_moment_leave_a_true_manifest(job_dir: Path, start_program: StartProgram) -> None:
    moments = random.Random(7)
    for attempt in range(1, 7):
        process = started(start_program(TRACKING))
        goal = moments.randrange(1, 25)

        def has_tracked(goal: int = goal) -> bool:
            return len(read_manifest(job_dir / "01_asr" / "manifest.json").outputs) >= goal

        eventually(has_tracked)
        killed(process)
        manifest = read_manifest(job_dir / "01_asr" / "manifest.json")
        assert (manifest.status, manifest.attempt) == (StageStatus.RUNNING, attempt)
        assert states(job_dir) == {"asr": StageState.DIED}
        for output in manifest.outputs:
            # The newest may have been written anew, and not been tracked yet, when the kill came.
            content = (job_dir / output.path).read_bytes()
            assert not content or hashlib.sha256(content).hexdigest() == output.sha256
    assert [a.problem.code for a in manifest.earlier_attempts if a.problem] == ["PROCESS_DIED"] * 5
    with Stage("asr", job_dir) as stage:
        assert stage.attempt == 7
    assert states(job_dir) == {"asr": StageState.SUCCESS}


def test_a_running_stage_is_seen_as_running_and_refused_until_it_is_killed(
    job_dir: Path, start_program: StartProgram
) -> None:
    process = started(start_program(WAITING))
    assert states(job_dir) == {"asr": StageState.RUNNING}
    with pytest.raises(StageBusyError, match=f"process {process.pid}"):
        Stage("asr", job_dir)
    killed(process)
    (finding,) = check_job(read_job(job_dir)).findings
    assert finding.code == "STAGE_DIED"
    assert f"process {process.pid}" in finding.message
    Stage("asr", job_dir).finalize("skipped")


def test_a_zombie_runs_nothing(job_dir: Path, start_program: StartProgram) -> None:
    process = started(start_program(WAITING))
    process.send_signal(signal.SIGKILL)
    # Nobody waits for it here, so its id stays taken.
    eventually(lambda: states(job_dir) == {"asr": StageState.DIED})
    stat = Path(f"/proc/{process.pid}/stat")
    assert stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_process_id_that_is_used_again_is_not_mistaken(job_dir: Path, start_program: StartProgram) -> None:
    process = started(start_program(WAITING))
    path = job_dir / "01_asr" / "manifest.json"
    tree = json.loads(path.read_text())
    tree["process"]["start_ticks"] -= 1
    path.write_text(json.dumps(tree))
    assert process.poll() is None
    assert states(job_dir) == {"asr": StageState.DIED}


def test_a_run_before_a_reboot_is_dead_and_one_on_another_machine_unknown(
    job_dir: Path, start_program: StartProgram
) -> None:
    started(start_program(WAITING))
    path = job_dir / "01_asr" / "manifest.json"
    tree = json.loads(path.read_text())
    tree["process"]["boot_id"] = "11111111-1111-1111-1111-111111111111"
    path.write_text(json.dumps(tree))
    assert states(job_dir) == {"asr": StageState.DIED}
    tree["process"]["hostname"] = "another-machine"
    path.write_text(json.dumps(tree))
    assert states(job_dir) == {"asr": StageState.UNKNOWN}
    with pytest.raises(StageBusyError, match="another-machine cannot be asked"):
        Stage("asr", job_dir)


def test_a_dead_run_of_another_machine_is_taken_over_on_demand(job_dir: Path) -> None:
    Stage("asr", job_dir).finalize()
    path = job_dir / "01_asr" / "manifest.json"
    tree = json.loads(path.read_text()) | {"status": "running", "completed_at": None}
    tree["process"] |= {"boot_id": "11111111-1111-1111-1111-111111111111", "hostname": "gone"}
    path.write_text(json.dumps(tree))
    with pytest.raises(StageBusyError):
        Stage("asr", job_dir)
    with Stage("asr", job_dir, takes_over=True) as stage:
        assert stage.attempt == 2


def test_of_another_container_the_lock_decides(job_dir: Path, start_program: StartProgram) -> None:
    """Its process table cannot be seen from here; what is changed in the manifest stands for that."""
    process = started(start_program(WAITING))
    path = job_dir / "01_asr" / "manifest.json"
    tree = json.loads(path.read_text())
    tree["process"] |= {"pid_namespace": 1, "pid": 1}
    path.write_text(json.dumps(tree))
    assert states(job_dir) == {"asr": StageState.RUNNING}
    killed(process)
    assert states(job_dir) == {"asr": StageState.DIED}


def test_a_process_that_became_another_program_has_left_its_stage(
    job_dir: Path, start_program: StartProgram
) -> None:
    process = started(
        start_program(
            """
stage = Stage("asr", job)
os.execv(sys.executable, [sys.executable, "-c", "print('started', flush=True); input()"])
"""
        )
    )
    assert states(job_dir) == {"asr": StageState.DIED}
    assert process.poll() is None


def test_a_program_that_forgets_to_finalize_has_failed_when_it_ends(
    job_dir: Path, start_program: StartProgram
) -> None:
    process = started(start_program(WAITING))
    _, errors = process.communicate("go on\n", 20)
    assert process.returncode == 0, errors
    manifest = read_manifest(job_dir / "01_asr" / "manifest.json")
    assert manifest.status is StageStatus.FAILED
    assert "ended before the stage was finalized" in manifest.errors[0].message


def test_a_forked_child_leaves_the_stage_to_its_parent(job_dir: Path, start_program: StartProgram) -> None:
    process = start_program(
        """
import warnings
# Newer Pythons warn of any fork beside threads, and the stage's meter is one.
warnings.simplefilter("ignore", DeprecationWarning)
try:
    with Stage("asr", job) as stage:
        if os.fork() == 0:
            try:
                stage.add_warning("from the child")
            except StageUsageError as error:
                say(f"child: {error.message}")
            raise RuntimeError("the child fails")
        _, status = os.wait()
        say(f"parent: {os.waitstatus_to_exitcode(status)}")
        stage.add_warning("from the parent")
except RuntimeError:
    os._exit(3)
"""
    )
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert f"belongs to process {process.pid}" in out
    assert "parent: 3" in out
    manifest = read_manifest(job_dir / "01_asr" / "manifest.json")
    assert manifest.status is StageStatus.SUCCESS
    assert [warning.message for warning in manifest.warnings] == ["from the parent"]


def test_concurrent_processes_get_numbers_of_their_own_and_keep_them(
    job_dir: Path, start_program: StartProgram
) -> None:
    program = 'Stage(sys.argv[2], job).finalize("success")'
    names = [f"stage{number}" for number in range(6)]

    def run_all(order: list[str]) -> dict[str, int]:
        for process in [start_program(program, name) for name in order]:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        return {record.name: record.directory.number for record in read_job(job_dir).stages}

    first = run_all(names)
    assert sorted(first.values()) == [1, 2, 3, 4, 5, 6]
    assert run_all(names[::-1]) == first
    assert all(record.manifest and record.manifest.attempt == 2 for record in read_job(job_dir).stages)


def test_of_two_processes_that_start_the_same_stage_one_gets_it(
    job_dir: Path, start_program: StartProgram
) -> None:
    program = """
say("ready")
sys.stdin.readline()
try:
    stage = Stage("asr", job)
except StageBusyError as error:
    say("refused")
else:
    say("got it")
    sys.stdin.readline()
    stage.finalize()
"""
    processes = [start_program(program) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.stdout.readline() for process in processes if process.stdout]
    assert sorted(answers) == ["got it\n", "refused\n", "refused\n"]
    for process in processes:
        process.communicate("end\n", 20)
    assert read_manifest(job_dir / "01_asr" / "manifest.json").attempt == 1


def test_a_full_disk_leaves_the_last_true_manifest(job_dir: Path, start_program: StartProgram) -> None:
    process = start_program(
        """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
stage = Stage("asr", job)
path = stage.output_path("a.txt"); path.write_text("a"); stage.track_output(path, "text")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    stage.finalize("success")
except OSError as error:
    say(f"refused: {error.errno}")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    )
    out, errors = process.communicate(timeout=30)
    assert "refused: 27" in out, errors
    manifest = read_manifest(job_dir / "01_asr" / "manifest.json")
    assert manifest.status is StageStatus.RUNNING
    assert len(manifest.outputs) == 1
    assert states(job_dir) == {"asr": StageState.DIED}
    assert not list((job_dir / "01_asr").glob("*.tmp"))


def test_a_stage_that_tracks_nothing_for_long_still_says_what_it_used(
    job_dir: Path, start_program: StartProgram
) -> None:
    process = started(
        start_program(
            """
with Stage("asr", job, settings=StageSettings(sample_seconds=0.05, heartbeat_seconds=0.1)) as stage:
    say("started")
    while True:
        pass
"""
        )
    )
    path = job_dir / "01_asr" / "manifest.json"
    eventually(lambda: read_manifest(path).resources.cpu_seconds > 0.2)
    killed(process)
    Stage("asr", job_dir).finalize("skipped")
    (earlier,) = read_manifest(path).earlier_attempts
    assert earlier.cpu_seconds > 0.2
    assert earlier.duration_seconds > 0.2


def test_the_error_of_a_block_is_not_hidden_by_a_full_disk(
    job_dir: Path, start_program: StartProgram
) -> None:
    process = start_program(
        """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with Stage("asr", job) as stage:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        raise ValueError("the news")
except ValueError as error:
    say(f"{error}; {error.__notes__}")
"""
    )
    out, errors = process.communicate(timeout=30)
    assert out.startswith("the news; ['the manifest of stage asr could not be written"), errors
