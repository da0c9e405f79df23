"""Each tenant's files lie, are rotated and expire by themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from log_collector.files import names
from log_collector.files.config import Compression, FileClass, FilesConfig
from log_collector.files.diversion import Diversion, Reason
from log_collector.files.housekeeping import Housekeeper
from log_collector.files.routing import Router

PLAIN = Compression.NONE


@pytest.mark.parametrize("tenant", ["..", "a/b", "", "Acme", ".hidden", "x" * 64])
def test_a_name_that_leads_elsewhere_has_no_home(tenant: str) -> None:
    if not tenant:
        assert names.home_of(tenant) == ""
        return
    with pytest.raises(ValueError, match="cannot name a directory"):
        names.home_of(tenant)


def test_files_find_their_home_again(tmp_path: Path) -> None:
    (tmp_path / "tenants/acme").mkdir(parents=True)
    (tmp_path / "tenants/Not One").mkdir()
    (tmp_path / "tenants/linked").symlink_to(tmp_path)
    assert names.homes_in(tmp_path) == ["", "tenants/acme/"]
    assert names.split_home("tenants/acme/jobs/j/job.log") == ("tenants/acme/", "jobs/j/job.log")
    assert names.split_home("tenants.log") == ("", "tenants.log")


def rotated(root: Path, home: str, count: int, size_bytes: int = 100) -> None:
    """Rotated files of a service, of which the first were written first."""
    (root / home).mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        path = root / home / names.rotated_name("worker.log", number, 1000.0 + number)
        path.write_bytes(bytes(size_bytes))
        os.utime(path, (1000.0 + number, 1000.0 + number))


def left(root: Path, home: str) -> int:
    """How many rotated files there are."""
    return len(list((root / home).glob("worker.log.*")))


@pytest.mark.parametrize(
    ("config", "ours", "theirs"),
    [
        (FilesConfig(services=FileClass(compression=PLAIN, keep_count=2)), 2, 2),
        (FilesConfig(services=FileClass(compression=PLAIN, keep_bytes=300)), 3, 3),
        (
            FilesConfig(
                services=FileClass(compression=PLAIN), tenant_bytes=400, tenant_bytes_of={"acme": 100}
            ),
            4,
            1,
        ),
        (FilesConfig(), 5, 9),
    ],
)
def test_retention_counts_each_tenants_files_by_themselves(
    tmp_path: Path, config: FilesConfig, ours: int, theirs: int
) -> None:
    rotated(tmp_path, "", 5)
    rotated(tmp_path, "tenants/acme/", 9)
    house = Housekeeper(tmp_path, config, Router(config), lambda: 2000.0, lambda _event, _reason: None)
    house.look()
    assert (left(tmp_path, ""), left(tmp_path, "tenants/acme/")) == (ours, theirs)


def test_no_tenant_uses_up_the_files_that_another_may_begin() -> None:
    diversion = Diversion(2, 2, lambda: 0.0, lambda _event, _reason: None)
    diversion.begin_write()
    assert [diversion.may_begin(f"tenants/flood/s{n}.log") for n in range(3)] == [True, True, False]
    assert diversion.may_begin("tenants/acme/s.log")
    assert diversion.may_begin("s.log")
    assert diversion.divert("tenants/flood/s2.log", Reason.TOO_MANY_NEW) == "tenants/flood/overflow.log"
    assert (
        diversion.divert("tenants/flood/jobs/j/job.log", Reason.BLOCKED) == "tenants/flood/overflow-jobs.log"
    )
