"""Services that a page's test starts as an operator would: with the command, and with an admin port."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from docs.tools.metrics import sections


@contextmanager
def running(service: str, directory: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """`telecine serve <service>` over a data directory; yields its ready line, drains it at the end."""
    command = [sys.executable, "-m", "telecine.cli", "serve", service, "--data-dir", str(directory)]
    command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *arguments]
    errors = directory.parent / f"{service}.stderr"
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, errors.read_text()
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)
    assert status == 0, errors.read_text()


def check_metrics(service: str, admin: str) -> None:
    """A running service shows the metrics of docs/reference/metrics.md that are its own, and no others."""
    listed = {row.name: row for _, _, rows in sections() for row in rows}
    with urllib.request.urlopen(f"http://{admin}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    shown = {f"{f.name}_total" if f.type == "counter" else f.name: f for f in families}
    own = {
        name for name in shown if name.startswith(("telecine_", "grpc_")) and not name.endswith("_created")
    }
    assert own <= listed.keys()
    prefix = "telecine_encoder_" if service == "encoder" else "telecine_log_"
    assert {name for name in listed if name.startswith(prefix)} <= own
    for name in own:
        for sample in shown[name].samples:
            assert set(sample.labels) <= {*listed[name].labels, "le"}, name
