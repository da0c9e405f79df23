"""The process starts again with tuned malloc only where that helps and nobody has chosen otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from service_host.malloc import MALLOC_VARIABLES, tuned_environment


def test_the_variables_are_added_to_what_is_there():
    assert tuned_environment({"HOME": "/h"}, is_glibc=True) == {"HOME": "/h", **MALLOC_VARIABLES}


@pytest.mark.parametrize("name", [*MALLOC_VARIABLES, "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_what_the_operator_chose_stays(name):
    assert tuned_environment({name: "1"}, is_glibc=True) is None


def test_other_c_libraries_do_not_know_the_variables():
    assert tuned_environment({}, is_glibc=False) is None


def test_the_second_start_finds_nothing_to_do():
    environ = tuned_environment({}, is_glibc=True)
    assert tuned_environment(environ, is_glibc=True) is None


RESTARTED = """
import os, sys
from service_host.malloc import restart_with_tuned_malloc
restart_with_tuned_malloc()
print(sys.flags.safe_path, sys.flags.no_user_site, sys.flags.dev_mode, sys.argv[1:])
"""


@pytest.mark.parametrize("flags", [["-P"], ["-P", "-s"], ["-I"], ["-P", "-X", "dev"], []])
def test_the_second_start_has_the_flags_of_the_first(flags: list[str]) -> None:
    environ = {
        k: v for k, v in os.environ.items() if k not in MALLOC_VARIABLES and not k.startswith("PYTHON")
    }
    command = [sys.executable, *flags, "-c", RESTARTED, "an argument"]
    ran = [
        subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        for env in (environ, {**environ, **MALLOC_VARIABLES})
    ]
    assert ran[0] == ran[1]
    assert ran[0].startswith(str("-P" in flags or "-I" in flags))
