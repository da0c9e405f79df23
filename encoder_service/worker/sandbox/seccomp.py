"""seccomp: which system calls a process may make, and with which arguments, for good.

The filter is a short program that the kernel runs for each call. Calls that encode, read, write and start
threads pass; those that reach other processes, the network, other programs and rarely used
parts of the kernel fail with EPERM. A list of what may pass would be tighter, but would break a codec with
each new version of a C library; instead, what is newer than the list fails as on an older kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Sequence

from encoder_service.worker.sandbox import syscalls
from encoder_service.worker.sandbox.linux import call, column

_SECCOMP = (317, 277)
_SET_MODE_FILTER = 1
_SPEC_ALLOW = 4  # without it, older kernels slow the whole process down against speculation
_ARCHITECTURES = (0xC000003E, 0xC00000B7)
_X32_BIT = 0x40000000

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

# Instructions: load a word of struct seccomp_data, compare with a constant, return.
_LOAD, _EQUAL, _GREATER_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_CLONE_THREAD = 0x00010000
_PRIO_PROCESS = 0
_PR_SET_PDEATHSIG = 1
_FCNTL_OF_OTHERS = (8, 10, 15, 1024, 1026)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to others; F_SETLEASE, F_NOTIFY: holding up others."""

_IOCTL_OF_FILES = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. Others change attributes of files that may only
be read: flags, versions, encryption, verity."""
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
"""Memory of this kind stays taken when its process lets go of its pages, and counts for no process then."""

Instruction = tuple[int, int, int, int]
"""Code, steps to jump if true, if false, constant."""


def restrict(*, has_devices: bool = False) -> None:
    """Loads the filter into this thread, and those it starts. Raises OSError.

    Call it while the process has one thread, and after `PR_SET_NO_NEW_PRIVS`. `has_devices`: a driver is
    allowed, which has calls and memory of its own kind.
    """
    place = column()
    if place is None:
        raise OSError(errno.ENOSYS, f"system calls of {os.uname().machine} are not known")
    code = b"".join(
        struct.pack("=HBBI", *step) for step in program(place, os.getpid(), has_devices=has_devices)
    )
    steps = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(steps))
    argument = ctypes.create_string_buffer(header, len(header))
    try:
        call(_SECCOMP, _SET_MODE_FILTER, _SPEC_ALLOW, argument)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        call(_SECCOMP, _SET_MODE_FILTER, 0, argument)


def program(place: int, pid: int, *, has_devices: bool = False) -> list[Instruction]:
    """The filter for a machine (its column in `syscalls`) and a process."""
    steps: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        # The numbers below mean other calls elsewhere.
        (_EQUAL, 1, 0, _ARCHITECTURES[place]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_GREATER_EQUAL, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
        (_GREATER_EQUAL, 0, 1, syscalls.NEWEST_KNOWN + 1),
        (_RETURN, 0, 0, _failing(errno.ENOSYS)),
    ]
    never = [syscalls.NETWORK, syscalls.PROCESSES, syscalls.FILES, syscalls.OTHERS, syscalls.KERNEL]
    if not has_devices:
        never.append(syscalls.UNCOUNTED)
    for numbers in never:
        for name in numbers:
            steps += _for_call(numbers[name][place], [(_RETURN, 0, 0, _failing(errno.EPERM))])
    conditions = _conditions(pid) | ({} if has_devices else _conditions_without_devices())
    for name, body in conditions.items():
        steps += _for_call(syscalls.CONDITIONAL[name][place], body)
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _conditions(pid: int) -> dict[str, list[Instruction]]:
    itself = _only_if(0, (pid,))
    scheduling = _only_if(0, (0, pid))
    return {
        "clone": [*_load(0), (_ANY_BIT, 1, 0, _CLONE_THREAD), *_denied_else_allowed()],
        # Its flags lie in memory, where a filter cannot see them; glibc takes clone instead.
        "clone3": [(_RETURN, 0, 0, _failing(errno.ENOSYS))],
        "kill": itself,
        "tkill": itself,
        "tgkill": itself,
        "rt_sigqueueinfo": itself,
        "rt_tgsigqueueinfo": itself,
        "prlimit64": scheduling,
        "sched_setaffinity": scheduling,
        "sched_setattr": scheduling,
        "sched_setparam": scheduling,
        "sched_setscheduler": scheduling,
        "setpriority": [*_unless(0, (_PRIO_PROCESS,)), *_only_if(1, (0, pid))],
        "fcntl": _denied_if(1, _FCNTL_OF_OTHERS),
        # Otherwise the worker could outlive the service.
        "prctl": _denied_if(0, (_PR_SET_PDEATHSIG,)),
    }


def _conditions_without_devices() -> dict[str, list[Instruction]]:
    return {
        "ioctl": _only_if(1, _IOCTL_OF_FILES),
        "mmap": [
            *_load(3),
            (_ANY_BIT, 0, 2, _MAP_SHARED),
            (_ANY_BIT, 0, 1, _MAP_ANONYMOUS),
            (_RETURN, 0, 0, _failing(errno.EPERM)),
            (_RETURN, 0, 0, _ALLOW),
        ],
    }


def _for_call(number: int | None, body: Sequence[Instruction]) -> list[Instruction]:
    return [] if number is None else [(_EQUAL, 0, len(body), number), *body]


def _load(argument: int) -> list[Instruction]:
    """The low word: process ids, flags and commands fit into it, and the kernel looks at no more."""
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument)]


def _denied_else_allowed() -> list[Instruction]:
    """Follows a comparison that skips this instruction if the call is allowed."""
    return [(_RETURN, 0, 0, _failing(errno.EPERM)), (_RETURN, 0, 0, _ALLOW)]


def _only_if(argument: int, values: Iterable[int]) -> list[Instruction]:
    passing = [step for value in values for step in ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW))]
    return [*_load(argument), *passing, (_RETURN, 0, 0, _failing(errno.EPERM))]


def _denied_if(argument: int, values: Iterable[int]) -> list[Instruction]:
    denial = (_RETURN, 0, 0, _failing(errno.EPERM))
    denied = [step for value in values for step in ((_EQUAL, 0, 1, value), denial)]
    return [*_load(argument), *denied, (_RETURN, 0, 0, _ALLOW)]


def _unless(argument: int, values: Sequence[int]) -> list[Instruction]:
    """Goes on where the argument is one of the values."""
    (value,) = values
    return [*_load(argument), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, _failing(errno.EPERM))]


def _failing(number: int) -> int:
    return _ERRNO | number
