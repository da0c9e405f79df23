"""Messages for clients hold neither paths of this machine nor addresses of memory, and stay readable."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_host.status.disclosure import for_clients, of_os_error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open /var/lib/telecine/artifacts/1_a/mp4.mp4: denied", "cannot open mp4.mp4: denied"),
        ("[Errno 2] No such file: '/data/my spool/a b/video.raw'", "[Errno 2] No such file: 'video.raw'"),
        ('"/home/alice/CONFIDENTIAL name.txt" is missing', '"CONFIDENTIAL name.txt" is missing'),
        ("cannot read <_io.BytesIO object at 0x7f12ab34cd56>", "cannot read <_io.BytesIO>"),
        ("<function f at 0x7f12ab34cd56> failed", "<function> failed"),
        ("crashed at 0x00007f12ab34cd56 in x265", "crashed  in x265"),
        ("(/usr/lib/python3.11/site-packages/av/x.so)", "(x.so)"),
        ("file:/a/b", "file:/a/b"),
        ("path=/etc/ssl/", "path=…"),
        *((text, text) for text in ("rate 24/1 at 16/9", "text/html, https://host/a/b, and/or")),
        ("/", "/"),
        ("frames/frame_0001.png is missing", "frames/frame_0001.png is missing"),
    ],
)  # fmt: skip
def test_paths_become_names_and_addresses_vanish(text: str, shown: str) -> None:
    assert for_clients(text) == shown
    assert for_clients(shown) == shown


_PART = st.text("abcXYZ019._-", min_size=1, max_size=8).filter(lambda part: part.strip("."))


@given(
    st.lists(_PART, min_size=2, max_size=6),
    st.sampled_from(["{}", "'{}'", "open({}) failed", "{}: no", "a {} b", "[{}]", "x={}"]),
)
def test_no_directory_of_a_path_is_left(parts: list[str], sentence: str) -> None:
    shown = for_clients(sentence.format("/" + "/".join(parts)))
    assert "/" not in shown
    assert shown == sentence.format(parts[-1])


def test_an_error_of_the_system_keeps_its_reason_and_the_name() -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "/srv/data/spool/video.raw")
    assert of_os_error(error) == "No such file or directory: 'video.raw'"
    assert of_os_error(OSError("odd")) == "OSError"
    with pytest.raises(FileNotFoundError) as caught:
        Path("/no/such/place/at/all").read_bytes()
    assert not re.search(r"/no|such/", of_os_error(caught.value))
