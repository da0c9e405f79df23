"""A file is written and hashed behind its sender's back, in order, without gaps, never far behind."""

from __future__ import annotations

import hashlib
import io
import threading
from typing import Any

import pytest
from telecine.results.hashed_file import HashedFile


class GatedFile(io.BytesIO):
    """Writes nothing before `gate` is opened, and fails from piece `fails_at` on."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.is_writing = threading.Event()
        self._fails_at = fails_at
        self._pieces = 0

    def write(self, data: Any) -> int:
        self.is_writing.set()
        assert self.gate.wait(10)
        if self._pieces == self._fails_at:
            self._fails_at = None  # a disk that has room again must not make up for the gap
            raise OSError("no room")
        self._pieces += 1
        return super().write(data)


def test_pieces_follow_what_the_file_held_before() -> None:
    file = io.BytesIO(b"begun ")
    with HashedFile(file) as taken:
        assert taken.size_bytes == 6
        for piece in (b"and ", b"gone on ", b"with"):
            taken.append(piece)
        assert taken.sha256() == hashlib.sha256(b"begun and gone on with").hexdigest()
    assert file.getvalue() == b"begun and gone on with"


def test_the_next_piece_is_taken_while_one_is_being_written() -> None:
    file = GatedFile()
    with HashedFile(file) as taken:
        taken.append(b"one")
        assert file.is_writing.wait(10)
        taken.append(b"two")
        assert taken.size_bytes == 6
        file.gate.set()
        assert taken.sha256() == hashlib.sha256(b"onetwo").hexdigest()


def test_a_slow_disk_holds_its_sender_up() -> None:
    file, is_taken = GatedFile(), threading.Event()

    def send() -> None:
        for _ in range(20):
            taken.append(b"piece")
        is_taken.set()

    with HashedFile(file) as taken:
        sender = threading.Thread(target=send)
        sender.start()
        assert file.is_writing.wait(10)
        assert not is_taken.wait(0.05), "pieces without bound were taken"
        file.gate.set()
        sender.join()
        taken.sha256()
    assert file.getvalue() == b"piece" * 20


def test_after_a_fault_nothing_is_written_behind_the_gap() -> None:
    file = GatedFile(fails_at=1)
    with HashedFile(file) as taken:
        for piece in (b"one", b"two", b"three"):
            taken.append(piece)
        file.gate.set()
        with pytest.raises(OSError, match="no room"):
            taken.sha256()
    assert file.getvalue() == b"one"


def test_starting_again_forgets_everything() -> None:
    file = io.BytesIO(b"wrong")
    with HashedFile(file) as taken:
        taken.append(b" too")
        taken.restart()
        assert taken.size_bytes == 0
        taken.append(b"right")
        assert taken.sha256() == hashlib.sha256(b"right").hexdigest()
    assert file.getvalue() == b"right"


def test_a_piece_that_is_written_at_once_may_be_used_again() -> None:
    file, piece = io.BytesIO(), bytearray(b"one")
    with HashedFile(file) as taken:
        taken.append(b"none ")
        for value in (b"one", b"two"):
            piece[:] = value
            taken.append_at_once(memoryview(piece))
        piece[:] = b"off"
        assert taken.sha256() == hashlib.sha256(b"none onetwo").hexdigest()
    assert file.getvalue() == b"none onetwo"
