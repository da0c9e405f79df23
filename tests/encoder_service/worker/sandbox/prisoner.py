"""A program that locks itself in as a worker does, and then tries each wall. Prints what became of each try.

`python prisoner.py MODE PLACE`: PLACE holds `attempt/` (its own), `spool/video.raw` (its job's) and
`other/` with another job's files. A try that works is "done"; one that fails is the name of its errno.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from encoder_service.evidence.facts import Confinement, SandboxMode
from encoder_service.worker.process.imports import import_ahead
from encoder_service.worker.sandbox.linux import call
from encoder_service.worker.sandbox.walls import Reach, lock

PLACE = Path(sys.argv[2])
OWN, OTHER = PLACE / "attempt", PLACE / "other"
PARENT = os.getppid()
MAP_NORESERVE = 0x4000
MEMORY_BYTES, FILE_BYTES = 64 << 20, 4 << 20


def write(path: Path) -> Callable[[], object]:
    return lambda: path.write_bytes(b"x")


def listing(path: Path | str) -> Callable[[], object]:
    return lambda: list(Path(path).iterdir())


def raw(name: str, *arguments: int | bytes | None) -> Callable[[], object]:
    """A system call by its number, past whatever Python and the C library would do before it."""
    from encoder_service.worker.sandbox import syscalls

    numbers: dict[str, tuple[int | None, int | None]] = {}
    for group in (
        syscalls.NETWORK, syscalls.PROCESSES, syscalls.FILES, syscalls.OTHERS, syscalls.KERNEL,
        syscalls.UNCOUNTED, syscalls.CONDITIONAL,
    ):  # fmt: skip
        numbers |= group
    passed = [
        ctypes.create_string_buffer(value) if isinstance(value, bytes) else value for value in arguments
    ]
    return lambda: call(numbers[name], *passed)  # type: ignore[arg-type]


def send_to(family: int, kind: int, address: object) -> Callable[[], object]:
    def attempt() -> None:
        with socket.socket(family, kind) as out:
            out.connect(address)

    return attempt


def run_memfd() -> None:
    """Another program, out of memory that no path names."""
    descriptor = os.memfd_create("program", 0)
    os.write(descriptor, Path("/bin/true").read_bytes() if os.access("/bin/true", os.R_OK) else b"\x7fELF")
    if sys.argv[1] == "off":
        assert subprocess.run([f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor]).returncode == 0
        return
    os.execve(descriptor, ["true"], {})


def execute() -> None:
    if sys.argv[1] == "off":
        assert subprocess.run(["/bin/true"]).returncode == 0
        return
    os.execv("/bin/true", ["true"])


def fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def spawn() -> None:
    assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0


def vfork() -> None:
    assert subprocess.run(["/bin/true"]).returncode == 0


def into_the_program() -> None:
    """Where Python would run it the next time that it starts."""
    path = Path(json.__file__).with_name("prisoner.pth")
    path.write_bytes(b"")
    path.unlink()


def big_file() -> None:
    with (OWN / "big").open("wb") as file:
        file.truncate(FILE_BYTES)
        file.seek(FILE_BYTES)
        file.write(b"x")
        file.flush()


def signal_by_file() -> None:
    """The kernel sends SIGIO to whoever is named as owner."""
    read, _write = os.pipe()
    fcntl.fcntl(read, fcntl.F_SETOWN, PARENT)


def own_directory() -> None:
    """What writers do."""
    (OWN / "frames").mkdir()
    (OWN / "frames" / "a").write_bytes(b"a")
    (OWN / "frames" / "a").rename(OWN / "b")
    (OWN / "b").replace(OWN / "c")
    with (OWN / "c").open("r+b") as file:
        file.truncate(0)
    assert (OWN / "c").read_bytes() == b""
    shutil.rmtree(OWN / "frames")
    (OWN / "c").unlink()


def threads() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start()
    thread.join()
    assert done


def memory_of_nobody() -> None:
    """A file without a name and without a map."""
    descriptor = os.memfd_create("memory", 0)
    os.write(descriptor, bytes(1 << 20))
    os.close(descriptor)


def memory_let_go() -> None:
    """Shared pages stay taken when the process does not map them any more."""
    with mmap.mmap(-1, 1 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) as memory:
        memory[:4096] = bytes(4096)
        memory.madvise(mmap.MADV_DONTNEED)


def memory_of_a_device() -> None:
    with Path("/dev/zero").open("rb") as file:
        mmap.mmap(file.fileno(), 1 << 20, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ).close()


def flags_of_its_frames() -> None:
    """FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: an owner may, even where the file is open for reading alone."""
    descriptor = os.open(PLACE / "spool" / "video.raw", os.O_RDONLY)
    flags = fcntl.ioctl(descriptor, 0x80086601, bytes(8))
    fcntl.ioctl(descriptor, 0x40086602, flags)


def own_signals() -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


ALLOWED: dict[str, Callable[[], object]] = {
    "its directory": own_directory,
    "its frames": lambda: (PLACE / "spool" / "video.raw").read_bytes(),
    "the program": lambda: Path(json.__file__).read_bytes(),
    "threads": threads,
    "signals to itself": own_signals,
    "pipes": os.pipe,
    "memory": lambda: mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close(),
    "randomness": lambda: os.urandom(8),
    "cores": lambda: os.sched_getaffinity(0),
}

TRIES: dict[str, dict[str, Callable[[], object]]] = {
    "writes": {
        "beside it": write(PLACE / "new"),
        "another job's file": write(OTHER / "theirs"),
        "its own frames": write(PLACE / "spool" / "video.raw"),
        "appending": lambda: (OTHER / "theirs").open("ab"),
        "by open for reading": lambda: os.open(OTHER / "theirs", os.O_RDONLY | os.O_TRUNC),
        "cutting by path": lambda: os.truncate(OTHER / "theirs", 0),
        "temporary files": write(PLACE.parent / "telecine-prisoner"),
        "through its own directory": write(OWN / ".." / "other" / "theirs"),
        "through /proc": write(Path(f"/proc/self/root{PLACE}/other/theirs")),
        "a directory": lambda: (OTHER / "new").mkdir(),
        "removing": lambda: (OTHER / "goner").unlink(),
        "removing a directory": lambda: (OTHER / "empty").rmdir(),
        "a symbolic link": lambda: (OTHER / "link").symlink_to("/etc/passwd"),
        "a hard link outwards": lambda: os.link(PLACE / "spool" / "video.raw", OTHER / "hard"),
        "a pipe with a name": lambda: os.mkfifo(OTHER / "fifo"),
        "a device": lambda: os.mknod(OTHER / "node", 0o600 | 0o020000, os.makedev(1, 3)),
        "the kernel's settings": lambda: Path("/proc/self/oom_score_adj").write_text("500"),
        "the program": into_the_program,
    },
    "reads": {
        "another job's file": lambda: (OTHER / "theirs").read_bytes(),
        "another job's directory": listing(OTHER),
        "the directory above": listing(PLACE),
        "accounts": lambda: Path("/etc/passwd").read_bytes(),
        "the home": listing(Path.home()),
        "the root": listing("/"),
        "the root through /proc": listing("/proc/self/root/etc"),
        "the service's environment": lambda: Path(f"/proc/{PARENT}/environ").read_bytes(),
        "the service's files": listing(f"/proc/{PARENT}/fd"),
        "all processes": listing("/proc"),
    },
    "network": {
        "TCP": send_to(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", int(sys.argv[3]))),
        "UDP": send_to(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 9)),
        "UDP over IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        "listening": lambda: socket.create_server(("127.0.0.1", 0)),
        "a Unix socket by path": send_to(socket.AF_UNIX, socket.SOCK_STREAM, str(PLACE / "socket")),
        "an abstract Unix socket": send_to(
            socket.AF_UNIX, socket.SOCK_STREAM, f"\0{PLACE}/abstract"
        ),
        "a socket of its own": lambda: socket.socket(socket.AF_UNIX).bind(str(OWN / "socket")),
        "a pair": socket.socketpair,
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "names": lambda: socket.getaddrinfo("localhost", 80) and socket.socket(),
    },
    "processes": {
        "exec": execute,
        "exec of a memfd": run_memfd,
        "fork": fork,
        "vfork": vfork,
        "spawn": spawn,
    },
    "others": {
        "chmod": lambda: (OTHER / "theirs").chmod(0o777),
        "fchmod": lambda: os.fchmod(os.open(PLACE / "spool" / "video.raw", os.O_RDONLY), 0o777),
        "utime": lambda: os.utime(OTHER / "theirs", (1, 1)),
        "touch by path": lambda: os.utime(OTHER / "theirs"),
        "chown": lambda: os.chown(OTHER / "theirs", os.getuid(), os.getgid()),
        "extended attributes": lambda: os.setxattr(OTHER / "theirs", "user.telecine", b"x"),
        "signal to the service": lambda: os.kill(PARENT, 0),
        "signal to a process": lambda: os.kill(int(sys.argv[4]), signal.SIGTERM),
        "signal to a thread": raw("tgkill", PARENT, PARENT, 0),
        "signal by pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open(PARENT), 0),
        "signal by a file's owner": signal_by_file,
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, PARENT, os.getpriority(os.PRIO_PROCESS, PARENT)),
        "affinity": lambda: os.sched_setaffinity(PARENT, os.sched_getaffinity(PARENT)),
        "limits": lambda: resource.prlimit(PARENT, resource.RLIMIT_CORE),
        "outliving the service": raw("prctl", 1, 0, 0, 0, 0),
        "flags of its frames": flags_of_its_frames,
        "a lease on its frames": lambda: fcntl.fcntl(
            os.open(PLACE / "spool" / "video.raw", os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK
        ),
        "rename": lambda: (OTHER / "mover").rename(OTHER / "moved"),
        "rename into its directory": lambda: (OTHER / "theirs").rename(OWN / "mine"),
        "rename out of its directory": lambda: (write(OWN / "mine")(), (OWN / "mine").rename(OTHER / "in")),
    },
    "bounds": {
        "private memory": lambda: mmap.mmap(
            -1, 6 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
        ),
        "a file": big_file,
        "its own bounds": lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        ),
        "memory of nobody": memory_of_nobody,
        "shared memory that is let go": memory_let_go,
        "shared memory of a device": memory_of_a_device,
        "open files": lambda: [os.dup(0) for _ in range(2000)],
        "core dumps": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20)),
    },
    "kernel": {
        name: raw(name, 0, 0, 0, 0, 0)
        for name in (
            "add_key", "bpf", "chroot", "execveat", "fanotify_init", "fsopen", "inotify_init1",
            "io_setup", "io_uring_setup", "ioprio_set", "kcmp", "keyctl", "mount", "mq_open", "msgget",
            "open_by_handle_at", "open_tree", "perf_event_open", "personality", "pivot_root",
            "process_vm_readv", "process_vm_writev", "ptrace", "recvmsg", "semget", "sendmsg", "setns",
            "shmget", "sync", "syncfs", "umount2", "unshare", "userfaultfd",
        )
    },
}  # fmt: skip


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except (MemoryError, ValueError) as error:
        return type(error).__name__
    return "done"


def main() -> None:
    import_ahead()
    mode = SandboxMode(sys.argv[1])
    confinement = Confinement(mode, memory_bytes=MEMORY_BYTES, file_bytes=FILE_BYTES)
    reach = Reach(writes=(str(OWN),), reads=(str(PLACE / "spool" / "video.raw"),))
    walls = lock(reach, confinement)
    results: dict[str, dict[str, str]] = {"allowed": {name: outcome(each) for name, each in ALLOWED.items()}}
    for wall, tries in TRIES.items():
        # From a thread too: what is started later must be held as well.
        inner: dict[str, str] = {}
        thread = threading.Thread(
            target=lambda tries=tries, inner=inner: inner.update(
                {f"{name} (thread)": outcome(each) for name, each in tries.items()}
            )
        )
        if mode is not SandboxMode.OFF:
            thread.start()
            thread.join()
        results[wall] = {name: outcome(each) for name, each in tries.items()} | inner
    print(json.dumps({"standing": walls.standing, "missing": walls.missing, "results": results}))


main()
