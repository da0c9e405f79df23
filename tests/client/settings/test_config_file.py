"""One file may hold the settings of everything, in sections, or of one program alone."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import msgspec
import pytest
from telecine.settings.config_file import read_file, shared_file
from telecine.settings.loading import ConfigError, Loaded, load_config


class Config(msgspec.Struct, frozen=True):
    workers: int = 1
    name: str = ""


def load(path: Path | None = None, directory: Path | None = None, **environ: str) -> Loaded[Config]:
    return load_config(
        Config,
        prefix="TELECINE_ENCODER_",
        section="encoder",
        path=path,
        environ=environ,
        directory=directory or Path("/nowhere"),
    )


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


ALL = "[encoder]\nworkers = 3\n[collector]\nanything = 1\n[sdk]\n[logging]\n"


def test_a_program_reads_its_own_section_and_leaves_the_others_alone(tmp_path: Path) -> None:
    assert load(written(tmp_path / "all.toml", ALL)).value.workers == 3


def test_a_file_without_sections_is_the_programs_own(tmp_path: Path) -> None:
    assert load(written(tmp_path / "own.toml", "workers = 4\n")).value.workers == 4


def test_a_file_may_lack_the_section(tmp_path: Path) -> None:
    assert load(written(tmp_path / "other.toml", '[sdk]\nserver = "h:1"\n')).value == Config()


def test_what_stands_beside_the_sections_is_a_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "all.toml", "workers = 1\n[encoder]\nworkers = 3\n[enkoder]\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    faults = {fault.key: fault.expected for fault in caught.value.faults}
    assert set(faults) == {"workers", "enkoder"}
    assert 'did you mean "encoder"?' in faults["enkoder"]


def test_a_section_that_is_no_section_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a section"):
        load(written(tmp_path / "all.json", '{"encoder": 3}'))


def test_a_variable_names_the_file_for_everything(tmp_path: Path) -> None:
    path = written(tmp_path / "all.toml", ALL)
    loaded = load(TELECINE_CONFIG=str(path))
    assert loaded.value.workers == 3
    assert loaded.path == path
    assert loaded.sources_of("workers") == "file all.toml"


def test_telecine_toml_of_the_working_directory_is_read_unless_something_names_a_file(tmp_path: Path) -> None:
    written(tmp_path / "telecine.toml", ALL)
    own = written(tmp_path / "own.toml", "workers = 4\n")
    assert load(directory=tmp_path).value.workers == 3
    assert load(own, directory=tmp_path).value.workers == 4
    assert load(directory=tmp_path, TELECINE_ENCODER_CONFIG=str(own)).value.workers == 4
    assert load(directory=tmp_path.parent).value.workers == 1


def test_a_file_for_everything_must_have_sections(tmp_path: Path) -> None:
    """Else every program would take another's settings for its own, wrong ones."""
    path = written(tmp_path / "own.toml", "workers = 4\n")
    with pytest.raises(ConfigError, match="no section"):
        load(TELECINE_CONFIG=str(path))


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(TELECINE_CONFIG=str(tmp_path / "absent.toml"))
    assert shared_file({}, tmp_path) is None


def test_loading_again_reads_the_same_file(tmp_path: Path) -> None:
    path = written(tmp_path / "telecine.toml", ALL)
    loaded = load(directory=tmp_path)
    written(path, "[encoder]\nworkers = 9\n")
    assert loaded.load_again is not None
    assert loaded.load_again().value.workers == 9


def test_yaml_without_pyyaml_is_one_clear_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_yaml(name: str, *rest: object) -> object:
        if name == "yaml":
            raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
        return real_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    monkeypatch.delitem(sys.modules, "yaml", raising=False)
    with pytest.raises(ValueError, match="pip install PyYAML, or write it as TOML or JSON"):
        read_file(written(tmp_path / "t.yaml", "a: 1\n"))
