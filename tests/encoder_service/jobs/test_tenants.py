"""Whose a job is: on the disk, after a restart, and in how long it takes to be told that it is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from encoder_service.errors import ServiceError
from encoder_service.jobs.registry import MAX_TOMBSTONES, Tombstones
from encoder_service.store.record import JobRecord
from encoder_service.store.rooms import DataDirectoryError
from encoder_service.store.store import Store
from tests.encoder_service.jobs.life import living
from tests.encoder_service.records import record
from tests.service_host.auth.alike import assert_alike, difference


def owned(job_id: str, tenant: str) -> JobRecord:
    """A tenant's job that was just accepted."""
    return msgspec.structs.replace(record(job_id), tenant=tenant)


async def test_each_tenant_finds_its_own_jobs_again_after_a_restart(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        life.kept(record("same"), frames=1)
        life.store.rooms.open("acme")
        life.kept(owned("same", "acme"), frames=2)
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert life.registry.find("same").frames_ready == 1
        assert life.registry.find("same", "acme").frames_ready == 2
        assert not life.registry.knows("same", "beta")
        assert [job.record.tenant for job in life.registry.newest_first("acme")] == ["acme"]
        assert len(life.registry.newest_first(None)) == 2


async def test_damage_in_one_tenants_room_is_unknown_to_the_others(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        life.store.rooms.open("acme")
        life.kept(owned("cut", "acme"), frames=1)
        (tmp_path / "data/tenants/acme/jobs/cut.json").write_bytes(b"{")
        life.kept(record("sound"), frames=1)
        (tmp_path / "data/tenants/No Tenant").mkdir()
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert life.registry.knows("cut", "acme")
        assert not life.registry.knows("cut")
        assert not life.registry.quarantine.jobs()
        assert [found.job_id for found in life.registry.quarantine.jobs(tenant=None)] == ["cut"]
        assert life.registry.quarantine.counts()["foreign"] == 1
        assert life.registry.knows("sound")


def test_what_an_older_release_left_belongs_to_the_tenant_that_is_named(tmp_path: Path) -> None:
    def opened(root_tenant: str) -> list[tuple[str, str]]:
        store = Store(tmp_path / "data", root_tenant=root_tenant)
        store.open()
        try:
            found = [entry for entry in store.load() if isinstance(entry, JobRecord)]
            for each in found:
                store.save(each)
        finally:
            store.close()
        return [(each.tenant, each.job_id) for each in found]

    store = Store(tmp_path / "data")
    store.open()
    store.save(record("old"))
    store.close()
    assert opened("default") == [("default", "old")]
    assert opened("acme") == [("acme", "old")]
    for another in ("default", "beta"):
        with pytest.raises(DataDirectoryError, match="set root_tenant to what it was"):
            opened(another)
    (tmp_path / "data/tenants").mkdir()
    (tmp_path / "data/tenants/acme").mkdir()
    with pytest.raises(DataDirectoryError, match="set it to another tenant"):
        opened("acme")


def test_a_flood_of_cancelled_ids_forgets_its_own_tenants_first() -> None:
    tombstones = Tombstones()
    tombstones.add("ours", 0.0, "acme")
    for number in range(MAX_TOMBSTONES + 10):
        tombstones.add(f"job-{number}", 0.0, "flood")
    assert tombstones.has("ours", 1.0, "acme")
    assert not tombstones.has("ours", 1.0, "flood")
    assert not tombstones.has("job-0", 1.0, "flood")


async def test_a_foreign_id_takes_as_long_to_be_unknown_as_one_that_nobody_has(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        life.store.rooms.open("acme")
        for number in range(200):
            life.uploaded(owned(f"job-{number}", "acme"), 1)

        def seconds(find: Callable[[str, str], object], job_id: str) -> float:
            started = time.perf_counter()
            with pytest.raises(ServiceError):
                find(job_id, "beta")
            return time.perf_counter() - started

        def delayed(job_id: str, tenant: str) -> object:
            if life.registry.knows(job_id, "acme"):
                until = time.perf_counter() + 20e-6
                while time.perf_counter() < until:
                    pass
            return life.registry.find(job_id, tenant)

        for find, calls in ((life.registry.find, 10_000), (delayed, 1000)):
            foreign, unknown = [], []
            for number in range(calls):
                # Each is the first of its pair as often as the other: the second finds warm caches.
                for is_foreign in (True, False) if number % 2 else (False, True):
                    job_id = f"{'job' if is_foreign else 'gob'}-{number % 200}"
                    (foreign if is_foreign else unknown).append(seconds(find, job_id))
            if find is delayed:
                assert difference(foreign, unknown) > 0.25, "a planted delay must be seen"
            else:
                assert_alike(foreign, unknown)
