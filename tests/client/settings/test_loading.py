"""Configuration comes from four places, later ones win, and everything wrong is told at once."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from telecine.settings.loading import ConfigError, load_config
from telecine.settings.sources import environment_settings, shown, without_url_user


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class FileSink(msgspec.Struct, frozen=True, tag="file", tag_field="type"):
    path: Path
    max_bytes: int = 100


class StdoutSink(msgspec.Struct, frozen=True, tag="stdout", tag_field="type"):
    is_human: bool = False


class Limits(msgspec.Struct, frozen=True):
    queue_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1024
    idle_seconds: float = 60.0
    burst_bytes: int = 512

    def find_faults(self):
        if self.burst_bytes > self.queue_bytes:
            yield "burst_bytes", f"expected at most queue_bytes ({self.queue_bytes})"


class Config(msgspec.Struct, frozen=True):
    limits: Limits = Limits(idle_seconds=5.0)
    level: Level = Level.LOW
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    sinks: tuple[FileSink | StdoutSink, ...] = ()
    ports: dict[str, int] = {}
    maximum: int | None = 3
    is_on: bool = False
    api_token: str = ""
    upstream: str = ""


class Needy(msgspec.Struct, frozen=True):
    data_dir: Path
    inner: Config = Config()


def load(environ=None, overrides=None, path=None, kind=Config):
    return load_config(kind, prefix="TELECINE_T_", path=path, environ=environ or {}, overrides=overrides)


def faults_of(**arguments):
    with pytest.raises(ConfigError) as caught:
        load(**arguments)
    return {fault.key: fault for fault in caught.value.faults}


FILES = {
    "t.toml": 'level = "high"\nnames = ["x", "y"]\nsinks = [{type = "file", path = "/l"}]\n'
    '[limits]\nqueue_bytes = "4KiB"\n',
    "t.yaml": "level: high\nnames: [x, y]\nlimits: {queue_bytes: 4KiB}\nsinks: [{type: file, path: /l}]\n",
    "t.json": json.dumps(
        {
            "level": "high",
            "names": ["x", "y"],
            "limits": {"queue_bytes": "4KiB"},
            "sinks": [{"type": "file", "path": "/l"}],
        }
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_toml_yaml_and_json_say_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])
    loaded = load(path=path)
    assert loaded.value == Config(
        level=Level.HIGH,
        names=("x", "y"),
        limits=Limits(queue_bytes=4096, idle_seconds=5.0),
        sinks=(FileSink(Path("/l")),),
    )


def test_flags_win_over_environment_over_file_over_defaults(tmp_path):
    path = tmp_path / "t.toml"
    path.write_text('upstream = "file"\nmaximum = 1\nlevel = "high"\n')
    environ = {"TELECINE_T_UPSTREAM": "env", "TELECINE_T_MAXIMUM": "2"}
    loaded = load(environ, {"upstream": "flag"}, path)
    assert (loaded.value.upstream, loaded.value.maximum, loaded.value.level) == ("flag", 2, Level.HIGH)
    assert [loaded.sources_of(key) for key in ("upstream", "maximum", "level", "is_on")] == [
        "flag",
        "env TELECINE_T_MAXIMUM",
        "file t.toml",
        "default",
    ]


def test_setting_one_nested_key_keeps_its_siblings_as_the_service_set_them():
    value = load({"TELECINE_T_LIMITS__QUEUE_BYTES": "2MiB"}).value
    assert value.limits == Limits(queue_bytes=2 * 2**20, idle_seconds=5.0)


def test_the_environment_can_carry_every_kind_of_value():
    value = load(
        {
            "TELECINE_T_LIMITS__IDLE_SECONDS": "500ms",
            "TELECINE_T_NAMES": "a, b",
            "TELECINE_T_SINKS": '[{"type": "stdout", "is_human": true}]',
            "TELECINE_T_PORTS": '{"http": 80}',
            "TELECINE_T_MAXIMUM": "none",
            "TELECINE_T_IS_ON": "yes",
            "TELECINE_T_MODE": "b",
            "UNRELATED": "x",
        }
    ).value
    assert value == Config(
        limits=Limits(idle_seconds=0.5),
        names=("a", "b"),
        sinks=(StdoutSink(is_human=True),),
        ports={"http": 80},
        maximum=None,
        is_on=True,
        mode="b",
    )


def test_every_fault_is_reported_with_its_source_and_not_the_first_alone(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(
        "levl: high\nlimits: {idle_seconds: soon}\nsinks: [{type: fiel}, {type: file, max_bytes: x}]\n"
    )
    environ = {"TELECINE_T_IS_ON": "perhaps", "TELECINE_T_LIMITS__QUEUE_BYTES": "0", "TELECINE_T_NAMEZ": "x"}
    faults = faults_of(environ=environ, overrides={"mode": "c", "maximum": "many"}, path=path)
    assert {key: fault.source for key, fault in faults.items()} == {
        "levl": "file t.yaml",
        "limits.idle_seconds": "file t.yaml",
        "sinks[0].type": "file t.yaml",
        "sinks[1].path": "file t.yaml",
        "sinks[1].max_bytes": "file t.yaml",
        "is_on": "env TELECINE_T_IS_ON",
        "limits.queue_bytes": "env TELECINE_T_LIMITS__QUEUE_BYTES",
        "namez": "env TELECINE_T_NAMEZ",
        "mode": "flag",
        "maximum": "flag",
    }
    assert faults["levl"].expected == 'unknown setting; did you mean "level"?'
    assert faults["mode"].expected == "expected one of a, b, got 'c'"
    assert '"30s"' in faults["limits.idle_seconds"].expected


def test_the_error_is_one_text_with_a_line_for_each_fault():
    with pytest.raises(ConfigError) as caught:
        load({"TELECINE_T_LEVEL": "mid", "TELECINE_T_MAXIMUM": "x"})
    first, *others = str(caught.value).splitlines()
    assert first == "configuration: 2 faults"
    assert len(others) == 2


def test_what_types_cannot_say_a_struct_says_itself():
    faults = faults_of(overrides={"limits.burst_bytes": "2KiB"})
    assert faults["limits.burst_bytes"].expected == "expected at most queue_bytes (1024)"


def test_a_required_setting_is_missed():
    assert faults_of(kind=Needy)["data_dir"].expected == "is required and has no default"
    assert load(kind=Needy, overrides={"data_dir": "/d"}).value.data_dir == Path("/d")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("t.toml", "level = ", "is not valid"),
        ("t.yaml", "a: [", "is not valid"),
        ("t.json", "{", "is not valid"),
        ("t.json", "[1]", "expected a mapping"),
        ("t.ini", "", "expected a name that ends in"),
        ("absent.toml", None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path, name, text, expected):
    if text is not None:
        (tmp_path / name).write_text(text)
    assert expected in faults_of(path=tmp_path / name)[""].expected


def test_an_empty_yaml_file_changes_nothing(tmp_path):
    (tmp_path / "t.yaml").write_text("# nothing yet\n")
    assert load(path=tmp_path / "t.yaml").value == Config()


def test_the_environment_can_name_the_file(tmp_path):
    (tmp_path / "t.toml").write_text('level = "high"\n')
    assert load({"TELECINE_T_CONFIG": str(tmp_path / "t.toml")}).value.level is Level.HIGH


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"limits": "x"}, "limits"),
        ({"maximum.more": 1}, "maximum"),
        ({"level": "high", "level.more": "x"}, "level.more"),
        ({"names": 3}, "names"),
        ({"ports": "{bad"}, "ports"),
        ({"ports": {"a": "x"}}, "ports.a"),
        ({"limits.idle_seconds": float("nan")}, "limits.idle_seconds"),
        ({"maximum": True}, "maximum"),
        ({"sinks": [3]}, "sinks[0]"),
    ],
)
def test_a_value_of_the_wrong_shape_is_one_fault_and_no_crash(overrides, key):
    faults = faults_of(overrides=overrides)
    assert key in faults or any(found.startswith(key) for found in faults)


def test_secrets_stand_in_no_listing_and_no_error():
    environ = {"TELECINE_T_API_TOKEN": "hush-1", "TELECINE_T_UPSTREAM": "http://me:hush-2@h/x"}
    loaded = load(environ)
    assert loaded.value.api_token == "hush-1"
    texts = [loaded.describe(), json.dumps(loaded.redacted())]
    with pytest.raises(ConfigError) as caught:
        load({}, {"api_token": ["hush-1"], "maximum": "http://me:hush-2@h/x"})
    texts.append(str(caught.value))
    for text in texts:
        assert "hush" not in text
        assert "***redacted***" in text


def test_describe_shows_every_setting_with_its_source():
    overrides = {"sinks": [{"type": "file", "path": "/l"}], "ports": {"http": 80}}
    lines = [line.split() for line in load(overrides=overrides).describe().splitlines()]
    shown = {key: (value, " ".join(source)) for key, _, value, *source in lines}
    assert shown["limits.idle_seconds"] == ("5.0", "(default)")
    assert shown["sinks[0].type"] == ("'file'", "(flag)")
    assert shown["ports.http"] == ("80", "(flag)")


def test_a_wrong_value_hides_no_fault_of_its_neighbours():
    class Three(msgspec.Struct, frozen=True):
        low: int = 1
        high: int = 2
        name: str = "x"

        @property
        def is_named(self):
            return bool(self.name)

        def find_faults(self):
            if not self.is_named:
                yield "name", "expected a name"
            if self.low > self.high:
                yield "low", "expected at most high"

    both = faults_of(kind=Three, overrides={"name": "", "low": "9"})
    assert set(both) == {"name", "low"}
    beside = faults_of(kind=Three, overrides={"name": "", "high": "many", "low": "9"})
    assert set(beside) == {"name", "high"}


TEXTS = st.text(max_size=8) | st.sampled_from(["4GiB", "30s", "[1", "{}", "none", "1e999"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
NAMES = st.sampled_from(["type", "path", "a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *Config.__struct_fields__,
        "limits.queue_bytes",
        "limits.idle_seconds",
        "limits.burst_bytes.x",
        "sinks.type",
        "ports.a",
        "nothing",
        "..",
        "",
    ]
)


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.dictionaries(KEYS, TEXTS, max_size=5))
@example({"sinks": [{"type": []}]}, {})
def test_whatever_is_written_is_a_configuration_or_a_list_of_faults(overrides, environ):
    variables = {"TELECINE_T_" + key.upper().replace(".", "__"): text for key, text in environ.items()}
    try:
        loaded = load(variables, overrides)
    except ConfigError as error:
        said = str(error)
    else:
        said = loaded.describe()
        assert isinstance(loaded.value, Config)
    assert said


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hooks.example/T0/B0/TOKEN", "https://hooks.example/***redacted***"),
        ("https://hooks.example/?token=TOKEN", "https://hooks.example/***redacted***"),
        ("http://h:3100?token=TOKEN", "http://h:3100/***redacted***"),
        ("http://u:TOKEN@h:3100/x#TOKEN", "http://***redacted***@h:3100/***redacted***"),
        ("HTTPS://h/TOKEN", "HTTPS://h/***redacted***"),
        ("https://h:9200", "https://h:9200"),
        ("https://h:9200/", "https://h:9200/"),
        ("unix:///run/telecine.sock", "unix:///run/telecine.sock"),
        ("127.0.0.1:50052", "127.0.0.1:50052"),
    ],
)
def test_of_a_url_only_its_place_is_shown(url: str, expected: str) -> None:
    assert without_url_user(url) == expected
    assert "TOKEN" not in shown("loki.url", url)


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting():
    links = {
        "SERVICE_HOST": "10.0.0.7",
        "SERVICE_PORT": "50051",
        "SERVICE_PORT_GRPC": "50051",
        "PORT": "tcp://10.0.0.7:50051",
        "PORT_50051_TCP": "tcp://10.0.0.7:50051",
        "PORT_50051_TCP_PROTO": "tcp",
        "PORT_50051_TCP_PORT": "50051",
        "PORT_50051_TCP_ADDR": "fd00::7",
        "ADMIN_SERVICE_HOST": "10.0.0.8",
        "ADMIN_PORT": "tcp://10.0.0.8:9101",
    }
    assert environment_settings("T_", {f"T_{name}": value for name, value in links.items()}, {}) == {}
    mistakes = {"SERVICE_HOST": "encoder.local", "PORT": "50051", "SERVICE_PORTS": "1", "HOST__PORT": "50051"}
    kept = environment_settings("T_", {f"T_{name}": value for name, value in mistakes.items()}, {})
    assert set(kept) == {"service_host", "port", "service_ports", "host.port"}
