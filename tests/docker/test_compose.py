"""What the files for Compose set is taken by the services and by the clients in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from telecine.settings.loading import load_config
from telecine.tls.pem_files import read_pem
from telecine.tls.settings import common_tls

from encoder_service.config import EncoderConfig
from log_collector.config import CollectorConfig
from service_host.tls.certificate_files import CertificateFiles
from tests.service_host.certificates import Authority

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("service", "kind"), [("encoder", EncoderConfig), ("collector", CollectorConfig)])
def test_the_example_with_tls_is_a_sound_configuration(tmp_path, service, kind):
    authority = Authority(tmp_path)
    authority.ca_file.rename(tmp_path / "ca.pem")
    authority.issue(service)
    document = yaml.safe_load((ROOT / "docker/compose.tls.yaml").read_text())
    environ = {
        name: value.replace("/certificates", str(tmp_path))
        for name, value in document["services"][service]["environment"].items()
    }
    host = load_config(
        kind, prefix=f"TELECINE_{service.upper()}_", section=service, environ=environ
    ).value.host
    assert CertificateFiles(host.tls).in_force.client_ca is not None
    tls = common_tls(environ)
    assert (tls is not None) == (service == "encoder")
    if tls is not None:
        assert read_pem(tls).certificate
