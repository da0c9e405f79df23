"""How much one tenant and one principal may have, and that nobody else pays for it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from encoder_service.config import EncoderConfig
from encoder_service.errors import ServiceError
from encoder_service.jobs.jobs import NOBODY
from encoder_service.quotas.admission import require_place
from encoder_service.quotas.config import Quota, Quotas
from encoder_service.quotas.retention import superfluous
from encoder_service.quotas.upload_pace import UploadPace
from encoder_service.spool.quota import SpoolFullError, SpoolSpace
from encoder_service.store.record import JobRecord, Owner
from service_host.quotas.exceeded import QuotaError
from tests.encoder_service.jobs.life import FRAME_BYTES, living
from tests.encoder_service.records import SECOND, produced, record, succeeded

ALICE, BOB = Owner("acme", "alice"), Owner("acme", "bob")


def owned(job_id: str, owner: Owner) -> JobRecord:
    """Somebody's job."""
    return msgspec.structs.replace(record(job_id), tenant=owner.tenant, subject=owner.subject)


def ended(job_id: str, tenant: str, size_bytes: int, at_seconds: int) -> JobRecord:
    """A job that made one file and ended then."""
    made = succeeded(record(job_id), "mp4", produced(("mp4.mp4", bytes(size_bytes))))
    return msgspec.structs.replace(made, tenant=tenant, ended_at_unix_nano=at_seconds * SECOND)


def attempt_of(size_bytes: int):
    return produced(("mp4.mp4", bytes(size_bytes)))


def test_waiting_jobs_are_counted_for_the_tenant_and_for_who_sends_them() -> None:
    quotas = Quotas(each_tenant=Quota(waiting_jobs=3), each_principal=Quota(waiting_jobs=2))
    waiting = [owned("a", ALICE), owned("b", ALICE), owned("c", Owner("beta"))]
    with pytest.raises(QuotaError, match="waiting_jobs of acme/alice: 2 of 2"):
        require_place(waiting[0].holders, waiting, quotas)
    require_place(("acme", "acme/bob"), waiting, quotas)
    with pytest.raises(QuotaError, match="waiting_jobs of acme: 3 of 3"):
        require_place(("acme", "acme/carol"), [*waiting, owned("d", BOB)], quotas)
    roomy = msgspec.structs.replace(quotas, tenants={"acme": Quota()})
    require_place(("acme", "acme/carol"), [*waiting, owned("d", BOB)], roomy)


def test_a_tenants_spools_are_bounded_apart_from_those_of_others() -> None:
    limits = {"acme": 100, "acme/alice": 60}
    space = SpoolSpace(1000, lambda holder: limits.get(holder, 0))
    space.promise("a", 50, owned("a", ALICE).holders)
    with pytest.raises(QuotaError, match="spool_bytes of acme/alice: 50 of 60"):
        space.hold("a", 61)
    space.promise("b", 0, owned("b", BOB).holders)
    space.hold("b", 50)
    with pytest.raises(QuotaError, match="spool_bytes of acme: 100 of 100"):
        space.hold("b", 51)
    with pytest.raises(QuotaError):
        space.promise("c", 0, owned("c", BOB).holders)
    space.promise("d", 500, ("beta",))
    with pytest.raises(SpoolFullError):
        space.promise("e", 500, ("beta",))
    space.release("a")
    assert (space.used_by("acme"), space.used_by("acme/alice")) == (50, 0)
    space.hold("b", 100)


async def test_a_refusal_names_the_quota_its_limit_and_what_is_used(tmp_path: Path) -> None:
    quotas = Quotas(each_tenant=Quota(waiting_jobs=1, spool_bytes=2 * FRAME_BYTES))
    async with living(tmp_path / "data", quotas=quotas) as life:
        life.space._limit_of = lambda holder: quotas.of(holder).spool_bytes
        attached = await life.jobs.attach(record("first").spec, owner=ALICE)
        assert attached.ingest is not None
        with pytest.raises(ServiceError) as too_much:
            await attached.ingest.put(bytes(3 * FRAME_BYTES), 0)
        assert too_much.value.reason_name == "QUOTA_EXCEEDED"
        limit = str(2 * FRAME_BYTES)
        assert too_much.value.metadata == {"quota": "spool_bytes", "limit": limit, "used": "0"}
        assert too_much.value.retry_after_seconds == life.config.retry_after_seconds
        with pytest.raises(ServiceError) as too_many:
            await life.jobs.attach(record("second").spec, owner=BOB)
        assert too_many.value.metadata == {"quota": "waiting_jobs", "limit": "1", "used": "1"}
        assert not (await life.jobs.attach(record("second").spec, owner=NOBODY)).is_resumed


async def test_uploads_are_slowed_and_never_refused() -> None:
    quotas = Quotas(tenants={"acme": Quota(upload_bytes_per_second=1e6, upload_frames_per_second=100)})
    pace = UploadPace(lambda: quotas)
    signs: list[None] = []
    for owner, size_bytes in ((NOBODY, 10**9), (ALICE, 1000)):
        await pace.keep(owned("job", owner), size_bytes, lambda: signs.append(None))
    assert not signs
    await pace.keep(owned("job", ALICE), 100 * FRAME_BYTES, lambda: signs.append(None))
    assert signs, "who is kept waiting does not idle"


def test_one_tenants_ended_jobs_never_go_for_the_sake_of_anothers() -> None:
    ours = [ended(f"ours-{n}", "acme", 10, n) for n in range(3)]
    flood = [ended(f"flood-{n}", "beta", 10, 10 + n) for n in range(20)]

    def gone(**settings: object) -> list[str]:
        limits = EncoderConfig(retention_seconds=0, **settings).housekeeping_limits  # type: ignore[arg-type]
        return [each.job_id for each in superfluous([*ours, *flood], 100 * SECOND, limits)]

    assert gone(max_jobs_kept=13) == [f"flood-{n}" for n in range(10)]
    assert gone(retention_bytes=130) == [f"flood-{n}" for n in range(10)]
    assert gone(max_jobs_kept=4) == ["ours-0", *(f"flood-{n}" for n in range(18))]
    assert gone(quotas=Quotas(each_tenant=Quota(artifact_bytes=20))) == [
        "ours-0",
        *(f"flood-{n}" for n in range(18)),
    ]
    named = Quotas(tenants={"acme": Quota(artifact_seconds=99)})
    assert gone(quotas=named) == ["ours-0", "ours-1"]
    assert gone() == []
    assert len(gone(max_jobs_kept=1)) == 22
