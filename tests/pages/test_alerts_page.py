"""docs/operate: the alerts ask for metrics that exist, and each has a section that says what to do."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from docs.tools.metrics import sections
from docs.tools.tables import anchor
from tests.pages.pages import ROOT, examples, page_text

RULES = ROOT / "docs/operate/telecine.rules.yaml"
PAGE = "docs/operate/alerts.md"


def _alerts() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_every_alert_asks_for_metrics_and_labels_that_the_services_have() -> None:
    known = {row.name: row for _, _, rows in sections() for row in rows}
    expressions = [*(alert["expr"] for alert in _alerts()), *re.findall(r"expr: '(.*)'", page_text(PAGE))]
    for expression in expressions:
        asked = set(re.findall(r"\b(?:telecine|grpc)_\w+(?=[{\[ ]|$)", expression))
        assert asked <= known.keys(), expression
        labels = {label for name in asked for label in known[name].labels}
        assert set(re.findall(r"(\w+)(?:=~|=|!=)\"", expression)) <= labels | {"job"}, expression


def test_every_alert_leads_to_its_section() -> None:
    anchors = {anchor(heading) for heading in re.findall(r"^### (.+)$", page_text(PAGE), re.MULTILINE)}
    named = {alert["annotations"]["runbook"] for alert in _alerts()}  # type: ignore[index]  # of YAML
    assert {f"{PAGE}#{name}" for name in anchors} == named


def test_the_settings_of_the_page_are_right() -> None:
    for example in examples(PAGE, "yaml"):
        assert yaml.safe_load(example)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Debian's prometheus")
def test_prometheus_takes_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
