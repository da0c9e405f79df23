"""What a former process left is taken up from the same bytes; damage costs its own job alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from encoder_service.evidence.facts import Failed
from encoder_service.evidence.manifest import JobOutcome, decode_manifest
from encoder_service.jobs.ending import service_build
from encoder_service.store.record import JobRecord, OutputRecord, OutputState
from tests.encoder_service.jobs.life import FRAME_BYTES, Life, living
from tests.encoder_service.records import SECOND, attempt, produced, record, succeeded


async def test_an_upload_goes_on_from_the_bytes_that_are_there(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        life.kept(record(), frames=3)
    async with living(tmp_path / "data") as life:
        await life.recover()
        attachment = await life.jobs.attach(record().spec)
        assert attachment.is_resumed
        assert attachment.job.persisted_bytes == life.space.used_bytes == 3 * FRAME_BYTES
        await life.jobs.leave(attachment)


async def test_a_job_of_which_no_byte_had_come_is_unknown_again(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        life.kept(record())
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert not life.registry.knows("job")
        assert list(life.store.load()) == []
        assert not life.store.has_spool(record())


def with_evidence(life: Life, *, has_file: bool) -> JobRecord:
    """A job whose process died between the evidence of an output and the names of its files."""
    job = msgspec.structs.replace(record("job", "mp4", "webm"), total_frames=2, received_at_unix_nano=1)
    job = life.kept(succeeded(job, "mp4", produced(("clip.mp4", b"film"))), frames=2)
    directory = life.store.begin_attempt(job, "mp4", 1)
    if has_file:
        (directory / "clip.mp4").write_bytes(b"film")
    return job


async def test_files_that_have_evidence_get_their_names(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        with_evidence(life, has_file=True)
    async with living(tmp_path / "data") as life:
        await life.recover()
        job = life.registry.find("job")
        assert (job.directory / "clip.mp4").read_bytes() == b"film"
        assert [each.output for each in life.dispatcher.waiting()] == ["webm"]


async def test_evidence_without_its_files_is_forgotten_and_the_output_is_made_again(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        with_evidence(life, has_file=False)
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert life.on_disk("job").outputs["mp4"] == OutputRecord()
        assert {each.output for each in life.dispatcher.waiting()} == {"mp4", "webm"}


def ended(job_id: str = "job", at_seconds: int = 1010) -> JobRecord:
    """The record of a job that failed then."""
    result = Failed("CODEC_CRASHED", "it crashed", is_retryable=False)
    output = OutputRecord(state=OutputState.FAILED, attempts=(attempt(result),))
    return msgspec.structs.replace(
        record(job_id).with_output("mp4", output),
        outcome=JobOutcome.FAILED,
        ended_at_unix_nano=at_seconds * SECOND,
        build=service_build(),
    )


async def test_an_end_that_was_recorded_is_completed(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        job = life.kept(ended(), frames=2)
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert [job.job_id for job in life.registry.ended.values()] == ["job"]
        assert decode_manifest(life.store.read_manifest(job)).state is JobOutcome.FAILED
        assert not life.store.has_spool(job)


async def test_ended_jobs_come_back_in_the_order_of_their_end(tmp_path: Path) -> None:
    """Retention deletes the first of them first."""
    async with living(tmp_path / "data") as life:
        for job_id, at_seconds in (("a", 1030), ("b", 1010), ("c", 1020)):
            life.kept(ended(job_id, at_seconds))
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert [job.job_id for job in life.registry.ended.values()] == ["b", "c", "a"]


async def test_a_job_that_lost_frames_fails_and_says_how_many_bytes(tmp_path: Path) -> None:
    complete = msgspec.structs.replace(record(), total_frames=3, received_at_unix_nano=1)
    async with living(tmp_path / "data") as life:
        life.kept(complete, frames=1)
    async with living(tmp_path / "data") as life:
        await life.recover()
        found = life.on_disk("job")
        assert found.outcome is JobOutcome.FAILED
        assert found.problem is not None
        assert found.problem.code == "SPOOL_DAMAGED"
        assert str(2 * FRAME_BYTES) in found.problem.message


async def test_damage_costs_its_own_job_alone(tmp_path: Path) -> None:
    async with living(tmp_path / "data") as life:
        for job_id in ("cut", "linked", "sound"):
            life.kept(record(job_id), frames=1)
        (tmp_path / "data/jobs/cut.json").write_bytes(b"{")
        frames = life.store.spool_path(record("linked"))
        frames.rename(tmp_path / "elsewhere")
        frames.symlink_to(tmp_path / "elsewhere")
    async with living(tmp_path / "data") as life:
        await life.recover()
        assert [job.job_id for job in life.registry.live.values()] == ["sound"]
        assert [found.job_id for found in life.registry.quarantine.jobs()] == ["cut", "linked"]
        assert (tmp_path / "elsewhere").stat().st_size == FRAME_BYTES
