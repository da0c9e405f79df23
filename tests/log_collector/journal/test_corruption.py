"""Damage on the disk costs what is damaged, is reported, and never loses or doubles a neighbour."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service_host.disk.data_directory import MARKER
from service_host.errors import StartError
from tests.log_collector.corruption import (
    BEFORE,
    HOWS,
    Outcome,
    files_of,
    make_sound,
    mutate,
    outcome_of,
)
from tests.log_collector.harness import collector

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it delivered."""
    directory = tmp_path_factory.mktemp("sound") / "data"
    asyncio.run(make_sound(directory))
    return directory


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second half of the records is in the journal alone."""
    directory = tmp_path_factory.mktemp("waiting") / "data"
    asyncio.run(make_sound(directory, is_delivered=False))
    return directory


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "journal").glob("*.segment"))


def require_contained(outcome: Outcome, what: str) -> None:
    """Nothing twice, nothing cut, nothing of what came later missing; and what is missing is reported."""
    assert outcome.doubled == [], what
    assert outcome.broken_lines == 0, what
    assert outcome.lost_after == 0, what
    assert not outcome.lost or outcome.reported, what


async def test_without_damage_nothing_is_reported(sound: Path, waiting: Path, tmp_path: Path) -> None:
    for base in (sound, waiting):
        outcome = await outcome_of(base, tmp_path / "work", lambda _directory: None)
        assert outcome == Outcome()


@pytest.mark.parametrize("left", [-10, -3000, 0])
async def test_a_cut_tail_loses_no_record_that_comes_later(sound: Path, tmp_path: Path, left: int) -> None:
    def cut(directory: Path) -> None:
        last = segments(directory)[-1]
        last.write_bytes(last.read_bytes()[:left])

    outcome = await outcome_of(sound, tmp_path / "work", cut)
    require_contained(outcome, "cut tail")
    assert outcome.lost == []
    assert outcome.reported > 0


async def test_what_was_not_delivered_is_lost_with_its_segment_alone(waiting: Path, tmp_path: Path) -> None:
    def remove(directory: Path) -> None:
        segments(directory)[-2].unlink()

    outcome = await outcome_of(waiting, tmp_path / "work", remove)
    require_contained(outcome, "segment removed")
    assert 0 < len(outcome.lost) < BEFORE // 2


@pytest.mark.parametrize("names", [["-wal"], ["-wal", "-shm"], [""], ["", "-wal", "-shm"]])
@pytest.mark.parametrize("how", ["delete", "empty", "garbage"])
async def test_cursors_that_are_lost_double_nothing(
    sound: Path, tmp_path: Path, names: list[str], how: str
) -> None:
    def damage(directory: Path) -> None:
        for suffix in names:
            path = directory / f"cursors.sqlite{suffix}"
            if how == "delete":
                path.unlink()
            else:
                path.write_bytes(b"" if how == "empty" else random.Random(1).randbytes(9000))

    outcome = await outcome_of(sound, tmp_path / "work", damage)
    require_contained(outcome, "cursors")
    assert outcome.lost == []
    assert not outcome.refusal


async def test_cursors_that_are_in_no_copy_any_more_stop_the_start_until_it_is_asked_for(
    sound: Path, tmp_path: Path
) -> None:
    def damage(directory: Path) -> None:
        for path in [*directory.glob("cursors.sqlite*"), *(directory / "cursors").iterdir()]:
            path.unlink()

    outcome = await outcome_of(sound, tmp_path / "work", damage)
    assert "how far the sinks have come is not known any more" in outcome.refusal
    (tmp_path / "work" / "cursors.begin-again").touch()
    async with collector(tmp_path / "work") as running:
        assert running.service._condition.damage_count == 1
    assert not (tmp_path / "work" / "cursors.begin-again").exists()


@pytest.mark.parametrize("name", ["x.segment", "notes.txt", "00000000000000000000.segment.bak"])
async def test_a_foreign_file_in_the_journal_is_left_alone(sound: Path, tmp_path: Path, name: str) -> None:
    def add(directory: Path) -> None:
        (directory / "journal" / name).write_bytes(b"theirs")

    outcome = await outcome_of(sound, tmp_path / "work", add)
    assert outcome == Outcome()
    assert (tmp_path / "work" / "journal" / name).read_bytes() == b"theirs"


async def test_what_stands_in_a_segments_place_and_is_none_stops_the_start(
    sound: Path, tmp_path: Path
) -> None:
    for make in (lambda path: path.mkdir(), lambda path: path.symlink_to("/etc/passwd")):

        def damage(directory: Path, make: Damage = make) -> None:
            make(directory / "journal" / "00000000000000999999.segment")

        outcome = await outcome_of(sound, tmp_path / "work", damage)
        assert "is no regular file; move it away" in outcome.refusal


async def test_segments_that_changed_places_are_put_back(waiting: Path, tmp_path: Path) -> None:
    def swap(directory: Path) -> None:
        first, *_, last = segments(directory)
        first.rename(directory / "aside")
        last.rename(first)
        (directory / "aside").rename(last)

    outcome = await outcome_of(waiting, tmp_path / "work", swap)
    require_contained(outcome, "swapped")
    assert outcome.lost == []
    assert outcome.reported > 0


async def test_a_seeded_few_mutations_are_contained(sound: Path, waiting: Path, tmp_path: Path) -> None:
    await run_mutations(sound, waiting, tmp_path, range(12))


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, 240, 40))
async def test_soak_of_seeded_mutations(sound: Path, waiting: Path, tmp_path: Path, start: int) -> None:
    await run_mutations(sound, waiting, tmp_path, range(100 + start, 140 + start))


async def run_mutations(sound: Path, waiting: Path, tmp_path: Path, seeds: range) -> None:
    faults: list[str] = []
    for seed in seeds:
        chance = random.Random(seed)
        base = chance.choice([sound, waiting])
        name, how = chance.choice(files_of(base)), chance.choice(HOWS)
        what = f"seed {seed}: {how} {name} of {base.parent.name}"

        def damage(directory: Path, name: str = name, how: str = how, chance: random.Random = chance) -> None:
            mutate(directory, name, how, chance)

        outcome = await outcome_of(base, tmp_path / "work", damage)
        try:
            require_contained(outcome, what)
        except AssertionError:
            faults.append(f"{what}: {outcome}"[:400])
    assert faults == []


async def test_a_lost_marker_is_made_anew(sound: Path, tmp_path: Path) -> None:
    outcome = await outcome_of(sound, tmp_path / "work", lambda directory: (directory / MARKER).unlink())
    assert outcome == Outcome()
    shutil.rmtree(tmp_path / "work" / "lock")
    (tmp_path / "work" / MARKER).unlink()
    with pytest.raises(StartError):
        async with collector(tmp_path / "work"):
            pass
