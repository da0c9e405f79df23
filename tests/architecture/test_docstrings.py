"""The SDK documents itself: what an editor shows for a public name is all that its user has to know."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
import telecine
from telecine import exceptions
from telecine.clients.asynchronous import AsyncClient
from telecine.clients.asynchronous_job import AsyncJob
from telecine.clients.blocking import Client
from telecine.clients.blocking_job import Job
from telecine.clients.logs import LogClient

MODULES = ("telecine", "telecine.logging", "telecine.retry", "telecine.stages", "telecine.testing")
CALLED = (Client, AsyncClient, Job, AsyncJob, LogClient, telecine.encode, telecine.save_generation)
"""What users call over a network: it can fail, so it says how."""
ONE_VALUE_MORE = {"telecine.logging.configure_logging": "telecine.logging.LogConfig"}
"""Functions whose parameters are the fields of a value that may be passed instead; it describes them."""
MIN_WORDS = 4
MIN_LISTED = 3
"""From so many parameters on they are a list."""
SPECIAL = {"__init__", "__call__", "__getitem__"}


def names_of(module_name: str) -> list[str]:
    module = import_module(module_name)
    listed: list[str] = getattr(module, "__all__", None) or [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module_name
    ]
    return [name for name in listed if not inspect.ismodule(getattr(module, name))]


def functions_of(kind: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, value in vars(kind).items():
        if name.startswith("_") and name not in SPECIAL:
            continue
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function) and function.__module__ == kind.__module__:
            yield name, function


def public() -> dict[str, object]:
    """Every public class and function of the SDK, and the public methods of the classes."""
    found: dict[str, object] = {}
    homes = [(module, name) for module in MODULES for name in names_of(module)]
    homes += [("telecine.exceptions", name) for name in names_of("telecine.exceptions") if name[0].isupper()]
    for module, name in homes:
        value = getattr(import_module(module), name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        found[f"{module}.{name}"] = value
        if inspect.isclass(value):
            found |= {f"{module}.{name}.{part}": function for part, function in functions_of(value)}
    return found


PUBLIC = public()


def parameters_of(function: Callable[..., object]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]


def count_of(function: Callable[..., object]) -> int:
    """How many parameters have a name of their own: `*args` and `**fields` have none."""
    found = inspect.signature(function).parameters.values()
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return sum(each.kind not in variadic and each.name not in {"self", "cls"} for each in found)


def owner_doc(name: str, value: object) -> str:
    """The docstring, and for a constructor also the class's."""
    own = getattr(value, "__doc__", None) or ""
    return own if not name.endswith(".__init__") else own + (PUBLIC[name.rpartition(".")[0]].__doc__ or "")


def listed(doc: str, section: str) -> list[str]:
    """The names in `Args:` or `Raises:`."""
    match = re.search(
        rf"^(?P<indent> *){section}:\n(?P<items>(?:(?P=indent)    .*\n|\n)*)", doc + "\n", re.MULTILINE
    )
    if match is None:
        return []
    return re.findall(rf"^{match['indent']}    \*{{0,2}}(\w+):", match["items"], re.MULTILINE)


def is_called_by_users(name: str) -> bool:
    """All but the constructors of values, whose fields are documented, and of what the SDK itself makes."""
    owner = PUBLIC.get(name.removesuffix(".__init__"))
    if owner is None or not name.endswith(".__init__"):
        return True
    return not (dataclasses.is_dataclass(owner) or re.search(r"[Mm]ade by `", owner.__doc__ or ""))


def functions() -> Iterator[tuple[str, Callable[..., object]]]:
    for name, value in PUBLIC.items():
        if inspect.isfunction(value) and is_called_by_users(name):
            yield name, value


def test_the_public_surface_is_found():
    expected = {"telecine.Client.encode", "telecine.AsyncJob.result", "telecine.testing.draw_clip"}
    assert expected <= set(PUBLIC)
    assert "telecine.exceptions.JobError" in PUBLIC
    assert exceptions.BY_REASON


def test_every_public_name_is_described_in_a_sentence():
    docs = {
        name: value.__doc__ or "" for name, value in PUBLIC.items() if name.rpartition(".")[2] not in SPECIAL
    }
    assert not {name: doc for name, doc in docs.items() if len(doc.split()) < MIN_WORDS}


def test_no_docstring_sends_its_reader_to_another_one():
    sends = re.compile(r"\AAs `|\ASee `")
    assert not [name for name, value in PUBLIC.items() if sends.search(value.__doc__ or "")]


def test_three_parameters_or_more_are_listed_each_by_its_name():
    offenders = {}
    for name, function in functions():
        parameters = parameters_of(function)
        described = listed(owner_doc(name, function), "Args")
        if name in ONE_VALUE_MORE:
            parameters = ["service", "has_files", "others"]
        if count_of(function) >= MIN_LISTED and described != parameters:
            offenders[name] = [
                parameter for parameter in parameters if parameter not in described
            ] or described
    assert not offenders


@pytest.mark.parametrize("called", CALLED, ids=lambda called: called.__name__)
def test_what_is_called_over_a_network_says_what_it_raises(called):
    calls = dict(functions_of(called)) if inspect.isclass(called) else {called.__name__: called}
    offenders = [
        name
        for name, function in calls.items()
        if listed(function.__doc__ or "", "Args") and not listed(function.__doc__ or "", "Raises")
    ]
    assert not offenders


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_clients_say_the_same_of_the_same_method(blocking, asynchronous):
    ours, theirs = dict(functions_of(blocking)), dict(functions_of(asynchronous))
    for name in ours.keys() & theirs.keys() - SPECIAL:
        for section in ("Args", "Raises"):
            here, there = (listed(method[name].__doc__ or "", section) for method in (ours, theirs))
            assert here == there, f"{name}: {section}"


def test_every_error_that_is_named_exists():
    raised = {
        error for value in PUBLIC.values() for error in listed(getattr(value, "__doc__", "") or "", "Raises")
    }
    known = {name.rpartition(".")[2] for name in PUBLIC} | set(dir(builtins)) | set(dir(exceptions))
    assert not raised - known
