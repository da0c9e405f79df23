"""The images run as compose.yaml says: a clip goes through, its log arrives, and nothing is lost by any end.

`make images` first, then `make test-images`; no part of `make test`. Everything here talks through a private
network: the client is a container of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trustme
import yaml

from tests.eventually import eventually

pytestmark = [pytest.mark.images, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
ENGINE = os.environ.get("ENGINE", "docker")
PROJECT = f"telecine-test-{os.getpid()}"
MAX_IMAGE_BYTES = 285_000_000
"""Below half of what they had, 584 MB."""
FRAMES, HEIGHT, WIDTH = 96, 120, 160
THREADS = "2"


def run(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def missing():
    """What these tests lack, in one line; empty: nothing."""
    if shutil.which(ENGINE) is None or run(ENGINE, "version", check=False).returncode != 0:
        return f"no container engine: {ENGINE} does not answer"
    for image in ("telecine-encoder", "telecine-collector"):
        if run(ENGINE, "image", "inspect", image, check=False).returncode != 0:
            return f"there is no image {image}: `make images` builds it"
    if not compose_command():
        return "no compose: install docker-compose, or docker's compose plugin"
    return ""


def compose_command():
    """Version 2 is a plugin, version 1 a program of its own; empty where neither is there."""
    if run(ENGINE, "compose", "version", check=False).returncode == 0:
        return [ENGINE, "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


@pytest.fixture(scope="module", autouse=True)
def engine():
    if why := missing():
        pytest.skip(why)


class Compose:
    """compose.yaml with free ports and a project of its own; `environment` goes beside what it sets."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {"encoder": {"TELECINE_ENCODER_THREADS_PER_WORKER": THREADS}, "collector": {}}
        self.network = f"{PROJECT}_default"

    def __call__(self, *arguments, check=True):
        document = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
        document.pop("name")  # version 1 of compose does not know it; `-p` says it as well
        for name, service in document["services"].items():
            del service["build"]
            service["ports"] = [
                port.replace(f":{port.rpartition(':')[2]}:", "::") for port in service["ports"]
            ]
            service["volumes"].append(f"{self.folder}/certificates:/certificates:ro")
            service["environment"] = service.get("environment", {}) | self.environment[name]
        file = self.folder / "compose.yaml"
        file.write_text(yaml.safe_dump(document))
        return run(*compose_command(), "-p", PROJECT, "-f", str(file), *arguments, check=check)

    def container(self, service):
        # Version 1 lists containers that have ended too, and knows no option for it.
        every = ("-a",) if compose_command()[0] == ENGINE else ()
        [identity] = self("ps", *every, "-q", service).stdout.split()
        return identity

    def inspect(self, service):
        return json.loads(run(ENGINE, "inspect", self.container(service)).stdout)[0]

    def shell(self, service, line):
        return run(ENGINE, "exec", self.container(service), "sh", "-c", line, check=False)

    def is_healthy(self, service):
        """What the image's own health check says now."""
        kind, *command = self.inspect(service)["Config"]["Healthcheck"]["Test"]
        assert kind == "CMD"
        return run(ENGINE, "exec", self.container(service), *command, check=False).returncode == 0

    def wait_until_healthy(self):
        for service in ("collector", "encoder"):
            eventually(lambda service=service: self.is_healthy(service), 60, says=f"{service} is healthy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Mounted into containers, whose user is another."""
    path = tmp_path_factory.mktemp("containers")
    for part in (path, *path.parents[:2]):
        part.chmod(0o755)
    out = path / "out"
    out.mkdir()
    out.chmod(0o777)
    certificates = path / "certificates"
    certificates.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(certificates / "ca.pem"))
    for name in ("encoder", "collector", "client"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(str(certificates / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(certificates / f"{name}.pem"))
    for file in certificates.iterdir():
        file.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def services(folder):
    compose = Compose(folder)
    try:
        compose("up", "-d")
        compose.wait_until_healthy()
        yield compose
    finally:
        print(compose("logs", "--no-color", check=False).stdout[-20_000:])
        compose("down", "-v", "-t", "5", check=False)


@pytest.fixture(scope="module")
def frames():
    ramp = np.arange(FRAMES * HEIGHT * WIDTH * 3, dtype=np.uint32).reshape(FRAMES, HEIGHT, WIDTH, 3)
    return (ramp // 97 % 256).astype(np.uint8)


@pytest.fixture(scope="module")
def digest_outside(frames, tmp_path_factory):
    """The SHA-256 of the clip as an embedded service on this machine makes it, in no container."""
    out = tmp_path_factory.mktemp("outside")
    program = str(Path(sys.executable).with_name("telecine"))
    env = {
        **os.environ,
        "TELECINE_ENCODER_THREADS_PER_WORKER": THREADS,
        "TELECINE_DATA_DIR": str(out / "data"),
    }
    command = [program, "encode", "-", *ENCODING, "-d", str(out / "clip")]
    subprocess.run(command, input=frames.tobytes(), env=env, check=True, capture_output=True, timeout=120)
    return digest_in(out / "clip")


def digest_in(directory):
    [artifact] = directory.glob("*.mp4")
    return hashlib.sha256(artifact.read_bytes()).hexdigest()


ENCODING = ("--size", f"{WIDTH}x{HEIGHT}", "--pix-fmt", "rgb24", "--fps", "24", "-o", "mp4", "--json")


def client(services, *arguments, options=(), **others):
    """Runs `telecine` in a container of its own on the services' network."""
    return run(*client_command(services, *arguments, options=options), **others)


def client_command(services, *arguments, options=()):
    return [
        *(ENGINE, "run", "--rm", "-i", "--network", services.network, "--read-only", "--tmpfs", "/tmp"),
        *("-v", f"{services.folder}/out:/out", "-v", f"{services.folder}/certificates:/certificates:ro"),
        *options,
        *("--entrypoint", "telecine", "telecine-encoder", *arguments),
    ]


class Upload:
    """`telecine encode -` in a container, fed at the test's pace."""

    def __init__(self, services, job_id, options=()):
        self.services = services
        self.job_id = job_id
        self.directory = services.folder / f"out/{job_id}"
        arguments = ("encode", "-", *ENCODING, "--server", "encoder:50051", "--job-id", job_id)
        self.process = subprocess.Popen(
            client_command(services, *arguments, "-d", f"/out/{job_id}", options=options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, frames):
        self.process.stdin.write(frames.tobytes())
        self.process.stdin.flush()

    def has_begun(self):
        shown = client(
            self.services, "jobs", "show", self.job_id, "--server", "encoder:50051", "--json", check=False
        )
        return shown.returncode == 0

    def digest(self):
        """Ends the clip and returns the SHA-256 of what came back, read from the file itself."""
        out, errors = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, f"{out.decode()}\n{errors.decode()}"
        return digest_in(self.directory)


def story(services, job_id):
    done = client(services, "logs", "job", job_id, "--server", "collector:50052", "--json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


@pytest.mark.parametrize("service", ["encoder", "collector"])
def test_an_image_holds_what_it_needs_and_no_more(service):
    image = f"telecine-{service}"
    [facts] = json.loads(run(ENGINE, "image", "inspect", image).stdout)
    assert facts["Size"] < MAX_IMAGE_BYTES
    assert facts["Config"]["User"] == "10001:10001"
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == image
    assert ("GPL-3.0-or-later" in labels["org.opencontainers.image.licenses"]) == (service == "encoder")
    look = "for name in pip pip3 apt dpkg perl gcc; do command -v $name; done; "
    look += "find / -xdev -name pip -o -xdev -type f -perm /6000"
    found = run(ENGINE, "run", "--rm", "--entrypoint", "sh", image, "-c", f"({look}) 2>/dev/null; true")
    assert found.stdout == ""


@pytest.mark.parametrize("service", ["encoder", "collector"])
def test_an_image_says_what_it_holds(service):
    command = [ENGINE, "run", "--rm", "--entrypoint", "cat", f"telecine-{service}"]
    bill = json.loads(run(*command, "/usr/share/telecine/sbom.cdx.json").stdout)
    assert bill["bomFormat"] == "CycloneDX"
    names = {component["name"] for component in bill["components"]}
    assert {"telecine", "telecine-services", "grpcio", "libssl3"} <= names or "libssl3t64" in names
    assert ({"av", "libx264", "libx265", "libavcodec"} <= names) == (service == "encoder")
    assert all(component.get("licenses") for component in bill["components"])
    assert "not known" not in run(*command, "/usr/share/telecine/licences.txt").stdout


def test_compose_sets_what_it_says(services):
    """Settings by the environment are in force, and the engine's own health check agrees with ours."""
    shown = run(
        ENGINE, "exec", services.container("encoder"), "telecine", "serve", "encoder", "--print-config"
    )
    assert "(env TELECINE_ENCODER_THREADS_PER_WORKER)" in shown.stdout
    for service in ("encoder", "collector"):
        eventually(lambda s=service: services.inspect(s)["State"]["Health"]["Status"] == "healthy", 60)
        assert "Read-only" in services.shell(service, "touch /opt/x").stderr


def test_a_clip_from_another_container_is_the_same_as_outside(services, frames, digest_outside):
    upload = Upload(services, "through-compose")
    upload.send(frames)
    assert upload.digest() == digest_outside
    told = eventually(
        lambda: story(services, "through-compose").get("records"), 60, says="the job's log arrives"
    )
    assert len(told) >= 3


def test_a_drain_ends_in_order_and_the_client_goes_on_after_the_restart(services, frames, digest_outside):
    upload = Upload(services, "drained")
    upload.send(frames[: FRAMES // 2])
    eventually(upload.has_begun, 60)
    services("stop", "encoder")
    state = services.inspect("encoder")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    services("start", "encoder")
    upload.send(frames[FRAMES // 2 :])
    assert upload.digest() == digest_outside


def test_a_kill_of_both_services_loses_nothing(services, frames, digest_outside):
    before = eventually(lambda: story(services, "through-compose").get("records"), 60)
    upload = Upload(services, "killed")
    upload.send(frames[: FRAMES // 2])
    eventually(upload.has_begun, 60)
    run(ENGINE, "kill", "--signal", "KILL", services.container("encoder"), services.container("collector"))
    services("start")
    services.wait_until_healthy()
    upload.send(frames[FRAMES // 2 :])
    assert upload.digest() == digest_outside
    assert story(services, "through-compose")["records"] == before
    assert eventually(lambda: story(services, "killed").get("records"), 60)
    listed = client(services, "jobs", "list", "--server", "encoder:50051", "--json").stdout
    assert all(job_id in listed for job_id in ("through-compose", "drained", "killed"))


def certificates(service, *, must_clients_prove):
    prefix = f"TELECINE_{service.upper()}_HOST__TLS__"
    found = {
        f"{prefix}CERT_FILE": f"/certificates/{service}.pem",
        f"{prefix}KEY_FILE": f"/certificates/{service}.key",
    }
    return found | ({f"{prefix}CLIENT_CA_FILE": "/certificates/ca.pem"} if must_clients_prove else {})


@pytest.mark.parametrize("must_clients_prove", [False, True], ids=["tls", "mutual-tls"])
def test_health_and_clips_under_tls(services, frames, digest_outside, must_clients_prove):
    plain = services.environment
    services.environment = {
        service: settings | certificates(service, must_clients_prove=must_clients_prove)
        for service, settings in plain.items()
    }
    services.environment["encoder"] |= {
        "TELECINE_LOG_COLLECTOR": "tls://collector:50052",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/certificates/ca.pem",
    }
    try:
        services("up", "-d")
        services.wait_until_healthy()
        names = {"ROOT_CERTIFICATES": "ca.pem"}
        if must_clients_prove:
            names |= {"PRIVATE_KEY": "client.key", "CERTIFICATE_CHAIN": "client.pem"}
        options = [
            word
            for name, file in names.items()
            for word in ("-e", f"TELECINE_SDK_TLS__{name}=/certificates/{file}")
        ]
        upload = Upload(services, f"tls-{must_clients_prove}".lower(), options)
        upload.send(frames)
        assert upload.digest() == digest_outside
        assert services.shell("encoder", PLAIN_PROBE).returncode == 1
        if not must_clients_prove:  # what ships logs has no certificate to show
            found = f"grep -rlF {upload.job_id} /data"
            eventually(lambda: services.shell("collector", found).returncode == 0, 60, says="its log arrives")
        services.shell("encoder", "kill -STOP $(cat /proc/1/task/1/children)")
        assert not services.is_healthy("encoder")
        services.shell("encoder", "kill -CONT $(cat /proc/1/task/1/children)")
        services.wait_until_healthy()
    finally:
        services.environment = plain


PLAIN_PROBE = "python -P -m service_host.healthcheck 127.0.0.1:50051"
