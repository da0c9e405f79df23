"""The data directory: whole records, files that appear at once, nothing outside, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoder_service.record import JobRecord
from encoder_service.store import DataDirectoryError, MissingFileError, Store, UnsafePathError, checked_path
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


def test_a_record_that_cannot_be_read_is_told_and_left_alone(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "data/jobs/broken.json"
    path.write_text("{")
    (found,) = store.load()
    assert not isinstance(found, JobRecord)
    assert found[0] == path
    assert path.exists()


def test_two_services_cannot_share_a_data_directory(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryError, match="another encoder service"):
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
    assert [path.name for path in left] == ["lock"]


def test_strays_are_removed_but_never_what_a_manifest_vouches_for(store: Store, tmp_path: Path) -> None:
    job, root = record("kept"), tmp_path / "data"
    store.save(job)
    store.make_directories(job)
    for stray in ("spool/gone", "artifacts/x_gone", "artifacts/.deleted-y", "artifacts/z_evidence"):
        (root / stray).mkdir()
    (root / "artifacts/z_evidence/manifest.json").write_text("{}")
    assert sorted(store.remove_strays([job])) == [".deleted-y", "gone", "x_gone"]
    assert (root / "artifacts/z_evidence").exists()
    assert store.job_directory(job).exists()


def test_a_directory_name_that_is_taken_is_numbered(store: Store, tmp_path: Path) -> None:
    name = store.directory_name("job", 0)
    assert name == "19700101_000000_job"
    (tmp_path / "data/artifacts" / name).mkdir()
    assert store.directory_name("job", 0) == "19700101_000000_job_2"
