"""The examples of docs/webhooks.md run as they stand; its receiver verifies what the service signs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from telecine.settings.loading import load_config

from encoder_service.config import EncoderConfig
from encoder_service.webhooks.signature import secret_bytes, signed_headers

PAGE = (Path(__file__).parent.parent / "docs" / "webhooks.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    config = tmp_path / "example.toml"
    config.write_text("".join(examples("toml")))
    loaded = load_config(EncoderConfig, prefix="T_", section="encoder", path=config, environ={})
    secret = tomllib.loads(config.read_text())["encoder"]["webhooks"]["secret"]
    assert loaded.value.webhooks.endpoints[0].url.startswith("https://dashboard.")
    body = b'{"type": "job.ended", "data": {"job_id": "from the page"}}'
    headers = signed_headers([secret_bytes(secret)], "msg_1", int(time.time()), body)
    program = "\n".join([*examples("python"), f"receive({headers!r}, {body!r})"])
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "job.ended from the page" in ran.stdout
    assert "succeeded" in ran.stdout


def test_every_event_that_the_page_names_is_one() -> None:
    from encoder_service.spec import WebhookEvent

    named = set(re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE))
    assert named == {event.value for event in WebhookEvent}
