"""The zygote: safe to fork, warm for real, and without what is the service's own in its environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import psutil
import pytest
from PIL import Image

import encoder_service
from encoder_service.evidence.facts import Produced
from encoder_service.pool.environment import worker_environment
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.overlays.picture_header import KINDS
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.zygote_protocol import Fork, send
from service_host.malloc import MALLOC_VARIABLES
from tests.encoder_service.worker.outputs.drawing import gradient_clip
from tests.encoder_service.worker_driver import WorkerDriver

_IMPORTED = """
import sys, pathlib
from encoder_service.worker.process.imports import import_ahead
from encoder_service.worker.process import program
import_ahead()
assert "grpc" not in sys.modules
threads = len(list(pathlib.Path("/proc/self/task").iterdir()))
"""

_FIRST_USE = (
    _IMPORTED
    + """
import msgspec
from encoder_service.spec.audio.codecs import SOUND_FORMATS
from encoder_service.spec.audio.track import AudioSpec, SampleFormat
from encoder_service.worker.process.attempt import Attempt
from encoder_service.spec.formats import FORMATS
from encoder_service.spec.spec import OutputSpec, PixelFormat, Rational, VideoSpec
from encoder_service.worker_protocol import Assignment
from encoder_service.worker.pillow import read_overlay
root, spool, *formats = sys.argv[1:]
imported = set(sys.modules)
for name in formats:
    directory = pathlib.Path(root, name)
    directory.mkdir()
    video = VideoSpec(64, 64, PixelFormat.RGB24, Rational(24))
    container, codec = name.split("-")
    assignment = Assignment("job", OutputSpec("clip", container, codec), video, spool, str(directory))
    if container in SOUND_FORMATS:
        sound = AudioSpec(48_000, "stereo", SampleFormat.S16)
        path = str(pathlib.Path(root, "audio.raw"))
        assignment = msgspec.structs.replace(assignment, audio=sound, audio_path=path)
    attempt = Attempt(assignment, lambda _: None)
    attempt.intake.extend(2, is_complete=True, samples=4_000)
    print(name, type(attempt.run()).__name__, sorted(set(sys.modules) - imported))
for picture in pathlib.Path(root).glob("picture.*"):
    read_overlay(picture.read_bytes(), 16)
print("overlays", sorted(set(sys.modules) - imported))
print(threads)
"""
)


def test_a_worker_has_imported_what_its_first_output_needs_with_one_thread_and_no_grpc(
    tmp_path: Path,
) -> None:
    kinds = [f"{row.name}-{codec}" for row in FORMATS.values() for codec in row.codecs]
    spool = tmp_path / "video.raw"
    spool.write_bytes(gradient_clip(2, 64, 64).tobytes())
    (tmp_path / "audio.raw").write_bytes(bytes(4 * 4_000))
    for kind in KINDS:
        Image.new("RGB", (4, 4)).save(tmp_path / f"picture.{kind.lower()}", kind)
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_USE, str(tmp_path), str(spool), *kinds],
        env=worker_environment(os.environ, (), 0),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    ended = [f"{name} Produced []" for name in kinds]
    assert done.stdout.splitlines() == [*ended, "overlays []", "1"]


def test_workers_are_forked_from_one_thread_even_where_numpy_could_use_all_cores() -> None:
    with WorkerDriver() as driver:
        assert psutil.Process(driver.zygote.pid).num_threads() == 1


_WITH_A_THREAD = """
import socket, sys, threading
from encoder_service.worker.process.zygote import Zygote
threading.Thread(target=threading.Event().wait, daemon=True).start()
Zygote(socket.socket(fileno=int(sys.argv[1])), None).serve()
"""


def test_a_zygote_with_a_second_thread_refuses_to_be_forked() -> None:
    """A lock that the other thread holds would be held for ever in the worker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = subprocess.Popen(
        [sys.executable, "-P", "-c", _WITH_A_THREAD, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    with ours:
        ours.recv(4096)
        send(ours, Fork(1), (0, 1, 2))
        _, words = zygote.communicate(timeout=20)
    assert zygote.returncode == 1
    assert "2 threads; it cannot be forked safely" in words


def test_nothing_of_the_services_environment_reaches_workers_but_what_is_named() -> None:
    service = {
        "PATH": "/usr/bin",
        "LC_ALL": "C.UTF-8",
        "TELECINE_ENCODER_WEBHOOKS__SECRET": "whsec",
        "TELECINE_WORKER_FAULT": "slow:1",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "PYTHONSTARTUP": "/tmp/evil.py",
        "PYTHONWARNINGS": "error",
        "PYTHONPATH": f"{os.pathsep}relative{os.pathsep}/opt/site{os.pathsep}.",
        "LD_PRELOAD": "/usr/lib/libjemalloc.so",
        "GLIBC_TUNABLES": "glibc.malloc.arena_max=1",
        "CUDA_VISIBLE_DEVICES": "1",
        "OPENBLAS_NUM_THREADS": "64",
        **MALLOC_VARIABLES,
    }
    assert worker_environment(service, ("CUDA_VISIBLE_DEVICES",), 7) == {
        "PATH": "/usr/bin",
        "LC_ALL": "C.UTF-8",
        "TELECINE_WORKER_FAULT": "slow:1",
        "TELECINE_WORKER_NICE": "7",
        "PYTHONPATH": f"/opt/site{os.pathsep}{Path(encoder_service.__file__).parents[1]}",
        "CUDA_VISIBLE_DEVICES": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def test_a_worker_has_neither_secrets_nor_the_services_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**MALLOC_VARIABLES, "TELECINE_ENCODER_WEBHOOKS__SECRET": "whsec"}.items():
        monkeypatch.setenv(name, value)
    with WorkerDriver() as driver:
        for pid in (driver.zygote.pid, driver.pid):
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"whsec" not in environ
            assert b"MALLOC" not in environ


def test_modules_that_lie_in_the_working_directory_are_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor those of a PYTHONPATH that means the working directory."""
    for name in ("queue", "random", "token", "logging", "av", "numpy", "encoder_service"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'IMPORTED')!r}, 'a').write({name!r})")
    spool = tmp_path / "video.raw"
    spool.write_bytes(gradient_clip(2, 64, 64).tobytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f".{os.pathsep}")
    with WorkerDriver() as driver:
        video = VideoSpec(64, 64, PixelFormat.RGB24, Rational(24))
        answer = driver.produce(video, OutputSpec("clip", "mp4"), spool, tmp_path / "out", 2)
    assert isinstance(answer, Produced)
    assert not (tmp_path / "IMPORTED").exists()


def test_shared_libraries_beside_packages_may_be_read_wherever_packages_are_installed(tmp_path: Path) -> None:
    """A wheel's libraries may be loaded at first use; a directory of PYTHONPATH need not be site-packages."""
    elsewhere = tmp_path / "py libs"
    elsewhere.symlink_to(sysconfig.get_path("platlib"))
    root = Path(encoder_service.__file__).parents[1]
    path = os.pathsep.join(map(str, (elsewhere, root, root / "client")))
    code = (
        "import av, json, numpy, PIL; from encoder_service.worker.sandbox.places import program_paths;"
        "print(json.dumps(program_paths()))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    allowed = json.loads(done.stdout)
    assert {str(elsewhere / f"{name}.libs") for name in ("av", "numpy", "pillow")} <= set(allowed)
    assert str(elsewhere) not in allowed, "what lies beside them is nobody's business"
