"""What stays free on a disk follows its size, and what can never fit is known before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoder_service.free_space import DiskRoom, disk_room, fault_of, floor_bytes, size_text

MIB = 1 << 20


@pytest.mark.parametrize(
    ("total", "floor"),
    [(64 * MIB, 4 * MIB), (200 * MIB, 12.5 * MIB), (4096 * MIB, 256 * MIB), (1 << 50, 256 * MIB)],
)
def test_the_floor_fits_the_disk_unless_the_operator_has_set_it(total: int, floor: float) -> None:
    assert floor_bytes(total, None) == floor
    assert floor_bytes(total, 7) == 7
    assert floor_bytes(total, 0) == 0


@pytest.mark.parametrize("floor", [0, 10 * MIB, 199 * MIB, 200 * MIB, 1 << 60])
def test_what_can_never_fit_does_not_depend_on_what_lies_there_now(floor: int) -> None:
    for free in (0, 50 * MIB, 200 * MIB):
        room = DiskRoom(200 * MIB, free, floor)
        assert room.can_ever_hold(room.most_bytes)
        assert not room.can_ever_hold(room.most_bytes + 1)
        assert 0 <= room.most_bytes <= max(0, 200 * MIB - floor)


def test_a_clip_fits_as_long_as_the_floor_stays_free() -> None:
    room = DiskRoom(200 * MIB, 100 * MIB, 20 * MIB)
    assert room.takes(80 * MIB)
    assert not room.takes(80 * MIB + 1)


def test_a_file_system_that_does_not_report_its_size_refuses_nothing() -> None:
    room = DiskRoom(0, 0, 256 * MIB)
    assert room.takes(1 << 50)
    assert room.can_ever_hold(1 << 50)
    assert fault_of(Path("/data"), room, is_fresh=True) is None


@pytest.mark.parametrize("floor", [200 * MIB, 256 * MIB, 1 << 60])
@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_disk_smaller_than_the_floor_is_a_fault_with_both_figures(floor: int, *, is_fresh: bool) -> None:
    said = fault_of(Path("/data"), DiskRoom(200 * MIB, 200 * MIB, floor), is_fresh=is_fresh)
    assert said is not None
    for part in ("/data", "min_free_bytes", "TELECINE_ENCODER_MIN_FREE_BYTES", str(floor), str(200 * MIB)):
        assert part in said


def test_a_full_disk_is_a_fault_where_the_service_has_nothing_to_remove() -> None:
    room = DiskRoom(200 * MIB, 5 * MIB, 10 * MIB)
    said = fault_of(Path("/data"), room, is_fresh=True)
    assert said is not None
    assert "5 MiB of it free, and 10 MiB have to stay free (min_free_bytes)" in said
    assert fault_of(Path("/data"), room, is_fresh=False) is None


def test_a_directory_and_an_open_file_are_on_the_same_disk(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert disk_room(file.fileno(), 5).total_bytes == disk_room(tmp_path, 5).total_bytes > 0


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (256 * MIB, "256 MiB"), (1 << 60, "1.049e+06 TiB")],
)
def test_sizes_are_shown_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
