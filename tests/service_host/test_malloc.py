"""The process starts again with tuned malloc only where that helps and nobody has chosen otherwise."""

from __future__ import annotations

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
