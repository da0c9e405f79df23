"""A wrapper, as an operator may have one, behind which some system calls fail.

`python without_calls.py NAMES COMMAND...`: names of `CALLS`, with commas. They fail as on a kernel without
them; with `-` before the name as a container's or systemd's filter denies them.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from encoder_service.worker.sandbox.linux import call, column, prctl
from encoder_service.worker.sandbox.seccomp import Instruction

CALLS = {
    "landlock": [(444, 444)],
    "seccomp": [(317, 277)],
    "limits": [(302, 261), (97, 163), (160, 164)],
    "priority": [(141, 140)],
    "scheduling": [(203, 122), (204, 123), (144, 119), (145, 120), (314, 274)],
}
place = column()
assert place is not None
numbers = [
    (pair[place], 1 if name.startswith("-") else 38)
    for name in sys.argv[1].split(",")
    for pair in CALLS[name.removeprefix("-")]
]
steps: list[Instruction] = [(0x20, 0, 0, 0)]
for number, error in numbers:
    steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error)]
steps.append((0x06, 0, 0, 0x7FFF0000))
code = b"".join(struct.pack("=HBBI", *step) for step in steps)
buffer = ctypes.create_string_buffer(code, len(code))
header = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
prctl(38, 1)
call((317, 277), 1, 0, ctypes.create_string_buffer(header, len(header)))
os.execv(sys.argv[2], sys.argv[2:])
