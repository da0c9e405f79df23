"""A program that uses the client may fork: its own subprocesses are none of gRPC's business."""

from __future__ import annotations

import os
import subprocess
import sys

from telecine.clients.embedded import EmbeddedServer

PROGRAM = """
import os, subprocess, sys, telecine
from multiprocessing import get_context

def double(number):
    return 2 * number

if __name__ == "__main__":
    with telecine.Client(sys.argv[1]) as client:
        ended = []
        for _ in range(20):
            client.capabilities()
            for _ in range(30):
                child = subprocess.Popen(["true"], preexec_fn=os.setpgrp, stdin=subprocess.PIPE)
                ended.append(child.wait())
        assert not any(ended), ended
        with get_context("fork").Pool(4) as pool:
            assert pool.map(double, range(100)) == [double(n) for n in range(100)]
        client.capabilities()
"""


def test_subprocesses_and_forked_pools_of_a_user_are_left_alone(encoder: EmbeddedServer) -> None:
    """grpc/grpc#16001 and its kin: `preexec_fn` and multiprocessing fork"""
    environment = {k: v for k, v in os.environ.items() if k != "GRPC_ENABLE_FORK_SUPPORT"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, encoder.address],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
