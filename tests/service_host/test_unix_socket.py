"""A Unix socket is reached by its service's user alone, and its path is never taken from what lives there."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from service_host.address import AddressError
from service_host.host import Host, running
from service_host.settings.host_config import HostConfig
from service_host.unix_socket import private_socket
from tests.service_host.tiny_service import TinyService


def listen(path, *, is_open_to_group=False):
    with private_socket(path, is_open_to_group=is_open_to_group), socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def test_a_plain_file_is_never_removed_for_a_socket(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(AddressError, match="no socket"):
        listen(path)
    assert path.read_text() == "data"


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AddressError, match="no socket"):
        listen(tmp_path / "link")


def test_a_living_socket_is_left_alone_and_a_dead_one_removed(tmp_path):
    path = tmp_path / "t.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(AddressError, match="another server"):
            listen(path)
    listen(path)
    assert stat.S_ISSOCK(path.lstat().st_mode)


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(AddressError, match="every user may write"):
        listen(tmp_path / "t.sock")
    tmp_path.chmod(0o1777)
    listen(tmp_path / "t.sock")


@pytest.mark.parametrize(("is_open_to_group", "modes"), [(False, (0o600, 0o700)), (True, (0o660, 0o750))])
async def test_the_socket_and_its_directory_are_for_the_user_alone_whatever_the_umask(
    tmp_path, is_open_to_group, modes
):
    path = tmp_path / "new" / "t.sock"
    config = HostConfig(listen=f"unix:{path}", is_readable_by_group=is_open_to_group, stop_grace_seconds=0)
    usual = os.umask(0)
    try:
        async with running(Host(TinyService(), config)) as listening:
            assert listening.address == f"unix:{path}"
            found = (stat.S_IMODE(path.lstat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    finally:
        os.umask(usual)
    assert found == modes
