"""The images can be built from what is there, and what they start exists and accepts their settings."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from telecine.logging.configuration import log_config

from service_host.settings.host_config import HostConfig

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker/Dockerfile"
COMPOSE = ROOT / "docker/compose.yaml"

SERVICES = ["encoder", "collector"]


class Stage:
    """One FROM and what follows it; `env` holds its own variables alone."""

    def __init__(self, base, name):
        self.base = base
        self.name = name
        self.steps = []

    def of(self, *verbs):
        return [rest for verb, rest in self.steps if verb in verbs]

    @property
    def env(self):
        pairs = [pair.partition("=") for rest in self.of("ENV") for pair in shlex.split(rest)]
        return {name: value for name, _, value in pairs}

    def exec_form(self, verb):
        """The JSON list of ENTRYPOINT, or of HEALTHCHECK's CMD."""
        [rest] = self.of(verb)
        return json.loads(rest[rest.index("[") :])


def stages():
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = {}
    current = None
    for line in text.splitlines():
        verb, _, rest = line.strip().partition(" ")
        if verb == "FROM":
            base, _, name = rest.partition(" AS ")
            current = found[name] = Stage(base, name)
        elif verb and current:
            current.steps.append((verb, rest.strip()))
    return found


STAGES = stages()


def copies(stage):
    return [shlex.split(rest) for rest in stage.of("COPY")]


def environment(stage):
    """The stage's variables with those it inherits."""
    inherited = environment(STAGES[stage.base]) if stage.base in STAGES else {}
    return inherited | stage.env


def run_entry_point(command, env, *arguments):
    """Runs what the image would run, with this environment's programs."""
    program, *rest = command
    here = Path(sys.executable).parent
    settings = {name: value for name, value in env.items() if name.startswith("TELECINE_")}
    return subprocess.run(
        [sys.executable if program == "python" else str(here / program), *rest, *arguments],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_everything_that_is_copied_exists_and_is_not_ignored():
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    for stage in STAGES.values():
        for *sources, _ in [copy for copy in copies(stage) if not copy[0].startswith("--from=")]:
            for source in sources:
                assert (ROOT / source).exists(), source
                whole = source if source in allowed else source.partition("/")[0]
                assert whole in allowed, f"{source} is left out by .dockerignore"
    used = {source for stage in STAGES.values() for copy in copies(stage) for source in copy}
    assert [name for name in allowed if name not in used] == []


def test_every_stage_builds_on_one_that_is_there():
    names = list(STAGES)
    for position, stage in enumerate(STAGES.values()):
        assert stage.base in [*names[:position], "${BASE_IMAGE}", "scratch"]
        for source, *_ in copies(stage):
            if source.startswith("--from="):
                assert source.removeprefix("--from=") in names[:position]


def test_the_wheel_has_all_it_needs_to_be_built():
    """pip builds the project from what is copied: its packages, read-me and licence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    steps = [*copies(STAGES["needs"]), *copies(STAGES["sources"])]
    copied = {source for copy in steps for source in copy[:-1]}
    assert {package.split("/")[0] for package in packages} <= copied
    assert project["project"]["readme"] in copied
    assert {"pyproject.toml", "constraints.txt", "LICENSE"} <= copied


@pytest.mark.parametrize("service", SERVICES)
def test_the_installed_extra_exists(service):
    [step] = STAGES[f"build-{service}"].of("RUN")
    [extras] = re.findall(r"\.\[([\w,]+)\]", step)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_entry_point_takes_the_images_settings(service):
    stage = STAGES[service]
    env = environment(stage)
    done = run_entry_point(stage.exec_form("ENTRYPOINT"), env, "--print-config")
    assert done.returncode == 0, done.stderr
    prefix = f"TELECINE_{service.upper()}_"
    for name in (name for name in env if name.startswith(prefix)):
        assert f"(env {name})" in done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_the_health_check_asks_the_port_that_is_served(service):
    stage = STAGES[service]
    listen = stage.env[f"TELECINE_{service.upper()}_HOST__LISTEN"]
    assert listen.startswith("0.0.0.0:"), "inside a container the loopback is reached by nobody"
    assert stage.exec_form("HEALTHCHECK")[-2:] == ["--section", service]
    # It goes where the variable says; at port 1 nothing listens.
    elsewhere = {f"TELECINE_{service.upper()}_HOST__LISTEN": "0.0.0.0:1"}
    done = run_entry_point(stage.exec_form("HEALTHCHECK"), stage.env | elsewhere)
    assert done.returncode == 1
    assert "127.0.0.1:1:" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_asks_whether_it_may_be_open_to_a_network_and_compose_answers(service):
    stage = STAGES[service]
    entry = stage.exec_form("ENTRYPOINT")
    done = run_entry_point(entry, environment(stage), "--check-config")
    assert done.returncode == 2
    assert "host.tls" in done.stderr
    assert "--insecure" in done.stderr
    said = yaml.safe_load(COMPOSE.read_text())["services"][service]["environment"]
    assert run_entry_point(entry, environment(stage) | said, "--check-config").returncode == 0


def test_the_services_run_as_nobody_in_particular():
    assert STAGES["runtime"].of("USER") == ["10001:10001"]
    for service in SERVICES:
        assert STAGES[service].base == "runtime"
        assert STAGES[service].of("USER") == []


@pytest.mark.parametrize("service", SERVICES)
def test_compose_fits_the_images(service):
    compose = yaml.safe_load(COMPOSE.read_text())
    entry = compose["services"][service]
    assert (COMPOSE.parent / entry["build"]["context"]).resolve() == ROOT
    assert (ROOT / entry["build"]["dockerfile"]) == DOCKERFILE
    assert entry["build"]["target"] in STAGES
    exposed = {port for rest in STAGES[service].of("EXPOSE") for port in rest.split()}
    assert {port.rpartition(":")[2] for port in entry["ports"]} == exposed
    assert all(port.startswith("127.0.0.1:") for port in entry["ports"])
    assert {volume.partition(":")[0] for volume in entry["volumes"]} <= set(compose["volumes"])
    assert {volume.partition(":")[2] for volume in entry["volumes"]} == {"/data"}


@pytest.mark.parametrize("service", SERVICES)
def test_compose_waits_longer_than_a_drain(service):
    grace = yaml.safe_load(COMPOSE.read_text())["services"][service]["stop_grace_period"]
    host = HostConfig()
    assert int(grace.removesuffix("s")) > host.drain_seconds + host.stop_grace_seconds + 5


def test_the_logging_settings_of_compose_are_known():
    said = yaml.safe_load(COMPOSE.read_text())["services"]["encoder"]["environment"]
    variables = {name: value for name, value in said.items() if name.startswith("TELECINE_LOG_")}
    config = log_config("encoder", {}, variables)
    assert config.collector == "collector:50052"
    assert {str(config.directory), str(config.spool_directory)} == set(variables.values()) - {
        config.collector
    }
