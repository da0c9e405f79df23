"""The data directory: whole records, files that appear at once, nothing outside, nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.store.record import JobRecord
from encoder_service.store.record_file import DamagedRecordError, decode_record, encode_record
from encoder_service.store.store import (
    Damaged,
    DataDirectoryError,
    MissingFileError,
    Store,
    UnsafePathError,
    checked_path,
)
from encoder_service.webhooks.outbox import Outbox
from tests.encoder_service.records import produced, record, succeeded


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An open store."""
    store = Store(tmp_path / "data", is_synced=True)
    store.open()
    return store


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    job = succeeded(record("job", "mp4", "webm"), "mp4", produced(("mp4.mp4", b"film")))
    store.save(job)
    assert list(store.load()) == [job]


def test_a_record_that_cannot_be_read_is_reported_and_left_alone(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "data/jobs/broken.json"
    path.write_text("{")
    (found,) = store.load()
    assert isinstance(found, Damaged)
    assert (found.job_id, found.path) == ("broken", path)
    assert path.exists()


def test_two_services_cannot_share_a_data_directory(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError, match="in use by another encoder"):
        Store(tmp_path / "data").open()
    store.close()
    Store(tmp_path / "data").open()


def test_a_data_directory_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match="cannot be used"):
        Store(tmp_path / "file").open()


def attempted(store: Store, job: JobRecord, files: dict[str, bytes]) -> Path:
    """Lets a worker leave files in an attempt's directory."""
    store.make_directories(job)
    directory = store.begin_attempt(job, "mp4", 1)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def test_publishing_moves_every_file_into_place(store: Store) -> None:
    job = record()
    files = {"clip.mp4": b"film", "frames/f_0.png": b"one", "frames/f_1.png": b"two"}
    directory = attempted(store, job, files)
    store.sync_attempt(job, "mp4", 1)
    store.publish(job, "mp4", 1, produced(*files.items()).files)
    for name, data in files.items():
        assert (store.job_directory(job) / name).read_bytes() == data
    assert not directory.exists()


def test_publishing_goes_on_where_a_dying_process_stopped(store: Store) -> None:
    job, files = record(), {"a.mp4": b"first", "b.mp4": b"second"}
    directory = attempted(store, job, files)
    (directory / "a.mp4").rename(store.job_directory(job) / "a.mp4")
    store.publish(job, "mp4", 1, produced(*files.items()).files)
    store.publish(job, "mp4", 1, produced(*files.items()).files)
    assert (store.job_directory(job) / "b.mp4").read_bytes() == b"second"


def test_a_file_that_is_nowhere_must_be_made_again(store: Store) -> None:
    job = record()
    attempted(store, job, {})
    with pytest.raises(MissingFileError, match=r"clip\.mp4"):
        store.publish(job, "mp4", 1, produced(("clip.mp4", b"film")).files)


def test_beginning_an_attempt_forgets_what_an_older_one_left(store: Store) -> None:
    job = record()
    directory = attempted(store, job, {"half.mp4": b"ha"})
    assert store.begin_attempt(job, "mp4", 1) == directory
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "manifest.json", "stage.log", ".partial/x", "a\0b"]
)
def test_a_worker_cannot_name_a_file_outside_its_directory(path: str) -> None:
    with pytest.raises(UnsafePathError):
        checked_path(path)


def test_a_manifest_appears_whole(store: Store) -> None:
    job = record()
    store.make_directories(job)
    assert not store.has_manifest(job)
    store.write_manifest(job, b"{}")
    assert store.has_manifest(job)
    assert store.read_manifest(job) == b"{}"


def test_deleting_removes_record_artifacts_and_spool(store: Store, tmp_path: Path) -> None:
    job = record()
    store.save(job)
    attempted(store, job, {"clip.mp4": b"film"})
    store.spool_path(job).write_bytes(b"frames")
    store.delete(job)
    store.delete(job)
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert {path.name for path in left} == {"held", ".telecine-data"}


STRAYS = ("spool/gone/pictures", "artifacts/.deleted-19700101_000000_gone/frames")
FOREIGN = (
    "artifacts/model-v7/weights.bin",
    "artifacts/report.pdf",
    "artifacts/.deleted-by-hand/x",
    "artifacts/19700101_000000_unknown/clip.mp4",
    "spool/mail/inbox",
    "spool/mail2/pictures/holiday.jpg",
    "spool/handed-off/video.raw",
    "spool/.hidden/x",
    "jobs/nightly.yaml",
    "jobs/run.json",
    "jobs/.run.json.tmp/x",
    "spool-reserve/keep.raw",
    "spool-reserve/7.raw/x",
    "webhooks/notes.txt",
    "webhooks/x.tmp/y",
)


def test_what_interrupted_work_left_is_removed_and_nothing_else_ever(store: Store, tmp_path: Path) -> None:
    job, root = record("kept"), tmp_path / "data"
    store.save(job)
    store.make_directories(job)
    for stray in STRAYS:
        (root / stray).mkdir(parents=True)
    for foreign in FOREIGN:
        (root / foreign).parent.mkdir(parents=True, exist_ok=True)
        (root / foreign).write_text("")
    (root / "spool-reserve/3.raw").write_text("frames of an ended job")
    store.close()
    store.open()
    assert sorted(store.remove_strays([job])) == [".deleted-19700101_000000_gone", "gone"]
    list(Outbox(root, is_synced=False).open())
    assert [found.job_id for found in store.load() if isinstance(found, Damaged)] == ["", "", "run"]
    assert not [foreign for foreign in FOREIGN if not (root / foreign).exists()]
    assert not (root / "spool-reserve/3.raw").exists()
    assert store.job_directory(job).exists()


def test_what_no_record_knows_is_named(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name in ("spool/handed-off/video.raw", "artifacts/report.pdf", "artifacts/z/manifest.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    found = {(fault.job_id, fault.path.name) for fault in store.find_unknown([])}
    assert found == {("handed-off", "handed-off"), ("", "report.pdf")}


@pytest.mark.parametrize("name", ["jobs", "spool", "artifacts", "webhooks"])
def test_a_link_in_place_of_a_directory_is_refused(tmp_path: Path, name: str) -> None:
    root, target = tmp_path / "data", tmp_path / "precious"
    target.mkdir()
    (target / "x.tmp").write_text("x")
    store = Store(root)
    store.open()
    store.close()
    (root / name).rmdir()
    (root / name).symlink_to(target)
    with pytest.raises(DataDirectoryError, match=f"{name} must be a directory"):
        Store(root).open()
    assert (target / "x.tmp").exists()


def test_links_are_removed_and_what_they_lead_to_stays(store: Store, tmp_path: Path) -> None:
    job, precious = record(), tmp_path / "precious"
    precious.mkdir()
    (precious / "x").write_text("x")
    attempted(store, job, {"clip.mp4": b"film"})
    (store.spool_path(job).parent / "pictures").symlink_to(precious)
    (store.job_directory(job) / "frames").symlink_to(precious)
    store.drop_attempt(job, "mp4", 1)
    (store.job_directory(job) / ".partial/mp4.1").symlink_to(precious)
    store.begin_attempt(job, "mp4", 1)
    store.save(job)
    store.delete(job)
    assert (precious / "x").read_text() == "x"
    assert not store.spool_path(job).parent.exists()


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_link_that_a_worker_leaves_takes_nobody_elses_file(
    store: Store, tmp_path: Path, is_folder: bool
) -> None:
    job = record()
    alice = tmp_path / "data/artifacts/19700101_000000_alice"
    alice.mkdir()
    (alice / "clip.mp4").write_bytes(b"film")
    directory = attempted(store, job, {})
    if is_folder:
        (directory / "frames").symlink_to(alice)
    else:
        (directory / "frames").mkdir()
        (directory / "frames/clip.mp4").symlink_to(alice / "clip.mp4")
    made = produced(("frames/clip.mp4", b"film"))
    with pytest.raises(MissingFileError):
        store.publish(job, "mp4", 1, made.files)
    assert (alice / "clip.mp4").read_bytes() == b"film"


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_record_that_is_no_plain_file_is_reported(store: Store, tmp_path: Path, kind: str) -> None:
    job, path = record(), tmp_path / "data/jobs/job.json"
    store.save(job)
    if kind == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.unlink()
        os.mkfifo(path) if kind == "pipe" else path.mkdir()
    (found,) = store.load()
    assert isinstance(found, Damaged)
    assert found.job_id == "job"


@given(data=st.data())
def test_a_record_with_any_bit_flipped_or_any_end_missing_is_not_believed(data: st.DataObject) -> None:
    job = succeeded(record("job", "mp4", "webm"), "mp4", produced(("mp4.mp4", b"film")))
    whole = encode_record(job)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(whole) - 1))
        flipped = whole[at] ^ (1 << data.draw(st.integers(0, 7)))
        hurt = whole[:at] + bytes([flipped]) + whole[at + 1 :]
    else:
        hurt = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        found = decode_record(hurt, "job")
    except DamagedRecordError:
        return
    assert found == job


def changed(job: JobRecord, **fields: object) -> JobRecord:
    """The record with fields that nothing but damage, or somebody's hand, puts there."""
    return msgspec.structs.replace(job, **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 999}, "later version"),
        ({"directory": "../../etc"}, "directory"),
        ({"directory": "19700101_000000_other"}, "directory"),
        ({"outputs": {}}, "outputs"),
        ({"created_at_unix_nano": 1 << 62, "ended_at_unix_nano": -5}, "calendar"),
        ({"total_frames": -1}, "frames"),
    ],
)
def test_a_record_that_cannot_be_is_refused_although_its_checksum_is_right(
    fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(DamagedRecordError, match=reason):
        decode_record(encode_record(changed(record(), **fields)), "job")


def test_a_record_under_another_jobs_name_is_refused() -> None:
    with pytest.raises(DamagedRecordError, match="job 'job'"):
        decode_record(encode_record(record("job")), "other")


def former(root: Path, *records: JobRecord) -> None:
    """A directory as 0.1.0 left it: no marker, records without checksums."""
    for name in ("jobs", "spool", "artifacts", "spool-reserve", "webhooks", "logs"):
        (root / name).mkdir(parents=True)
    (root / "lock").touch()
    for entry in records:
        (root / "jobs" / f"{entry.job_id}.json").write_bytes(msgspec.json.encode(entry))


def test_a_directory_of_0_1_0_is_adopted_with_its_jobs(tmp_path: Path) -> None:
    former(tmp_path, record("a"), record("b"))
    (tmp_path / "jobs/damaged.json").write_text("{")
    (tmp_path / "notes.txt").write_text("the operator's")
    store = Store(tmp_path)
    store.open()
    assert [found.job_id for found in store.load()] == ["a", "b", "damaged"]
    assert (tmp_path / ".telecine-data").exists()
    assert not (tmp_path / "spool-reserve").exists()


def test_an_empty_directory_of_0_1_0_is_adopted(tmp_path: Path) -> None:
    former(tmp_path)
    Store(tmp_path).open()


@pytest.mark.parametrize("has_lock", [True, False])
def test_a_directory_of_somebody_else_is_refused_untouched(tmp_path: Path, has_lock: bool) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/run.json").write_text('{"my":"own"}')
    (tmp_path / "spool-reserve").mkdir()
    (tmp_path / "spool-reserve/1.raw").write_text("")
    if has_lock:
        (tmp_path / "lock").touch()
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    with pytest.raises(DataDirectoryError, match="not empty"):
        Store(tmp_path).open()
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_frames_of_0_1_0_that_may_be_another_jobs_do_not_count(tmp_path: Path) -> None:
    """Its note of how many count cannot be believed: a flipped bit put others' frames into a film."""
    half, whole = record("half"), changed(record("whole"), total_frames=2)
    former(tmp_path, half, whole)
    store = Store(tmp_path)
    store.open()
    for job in (half, whole):
        store.make_directories(job)
        store.spool_path(job).write_bytes(bytes(48))
        store.spool_path(job).with_name("video.persisted").write_bytes(b"x" * 44)
    assert store.reopen_spools(half).video.persisted_bytes == 0
    assert store.reopen_spools(whole).video.persisted_bytes == 48
    assert not list(tmp_path.rglob("video.persisted"))


def test_a_new_job_never_begins_with_frames_that_are_there(store: Store) -> None:
    job = record()
    store.make_directories(job)
    store.spool_path(job).write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        store.begin_spools(job)


def test_a_directory_name_that_is_taken_is_numbered(store: Store, tmp_path: Path) -> None:
    name = store.directory_name("job", 0)
    assert name == "19700101_000000_job"
    (tmp_path / "data/artifacts" / name).mkdir()
    assert store.directory_name("job", 0) == "19700101_000000_job_2"
