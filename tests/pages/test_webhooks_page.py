"""The examples of docs/webhooks.md run as they stand; its receiver verifies what the service signs."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path

from telecine.settings.loading import load_config

from encoder_service.config import EncoderConfig
from encoder_service.webhooks.signature import secret_bytes, signed_headers
from tests.pages.pages import examples, page_text, run_program

PAGE = "docs/webhooks.md"


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    config = tmp_path / "example.toml"
    config.write_text("".join(examples(PAGE, "toml")))
    loaded = load_config(EncoderConfig, prefix="T_", section="encoder", path=config, environ={})
    secret = tomllib.loads(config.read_text())["encoder"]["webhooks"]["secret"]
    assert loaded.value.webhooks.endpoints[0].url.startswith("https://dashboard.")
    body = b'{"type": "job.ended", "data": {"job_id": "from the page"}}'
    headers = signed_headers([secret_bytes(secret)], "msg_1", int(time.time()), body)
    program = "\n".join([*examples(PAGE, "python"), f"receive({headers!r}, {body!r})"])
    printed = run_program(program, tmp_path, 100)
    assert "job.ended from the page" in printed
    assert "succeeded" in printed


def test_every_event_that_the_page_names_is_one() -> None:
    from encoder_service.spec.spec import WebhookEvent

    named = set(re.findall(r"^\| `(\w+\.\w+)` \|", page_text(PAGE), re.MULTILINE))
    assert named == {event.value for event in WebhookEvent}
