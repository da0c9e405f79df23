"""The messages of chunks are protobuf's."""

from __future__ import annotations

import google_crc32c
from hypothesis import example, given
from hypothesis import strategies as st
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.upload.chunks import chunk_message
from telecine.upload.machine import CHUNK_BYTES


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4))
@example(0, [b"a"])
@example(127, [b"a" * 127])
@example(128, [b"a" * 128])
@example(5, [b"x" * CHUNK_BYTES])
def test_the_message_is_what_protobuf_writes(offset: int, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    chunk = pb.Chunk(track=pb.TRACK_VIDEO, offset=offset, data=data, crc32c=google_crc32c.value(data))
    expected = pb.EncodeRequest(chunk=chunk).SerializeToString()
    assert chunk_message(offset, pieces) == expected
    assert chunk_message(offset, [memoryview(piece) for piece in pieces]) == expected
