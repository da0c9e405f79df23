"""A service sets glibc's malloc for itself, only where nobody has chosen otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from service_host.malloc import MALLOC_VARIABLES

PROBE = """
import ctypes, json, mmap, resource
from service_host.malloc import tune_malloc
done = tune_malloc()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def faults():
    block = libc.malloc(8 << 20)
    ctypes.memset(block, 1, 8 << 20)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = faults()
print(json.dumps([done, faults() - first]))
"""


def probed(**variables: str) -> tuple[bool, int]:
    """Whether malloc was set, and how many pages a block of 8 MiB faults in that was had before."""
    known = (*MALLOC_VARIABLES, "GLIBC_TUNABLES", "LD_PRELOAD")
    environ = {name: value for name, value in os.environ.items() if name not in known}
    ran = subprocess.run(
        [sys.executable, "-c", PROBE], env=environ | variables, capture_output=True, text=True, check=True
    )
    done, faults = json.loads(ran.stdout)
    return done, faults


@pytest.mark.skipif(os.confstr("CS_GNU_LIBC_VERSION") is None, reason="the C library is not glibc")
def test_a_block_that_was_freed_is_used_again_without_a_page_fault() -> None:
    done, faults = probed()
    assert done
    assert faults < 10


@pytest.mark.parametrize("name", [*MALLOC_VARIABLES, "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_what_the_operator_chose_stays(name: str) -> None:
    done, faults = probed(**{name: "131072" if name in MALLOC_VARIABLES else ""})
    assert not done
    if name == "MALLOC_MMAP_THRESHOLD_":
        assert faults > 1000, "the probe sees what malloc does"
