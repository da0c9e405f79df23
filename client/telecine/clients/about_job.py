"""Errors that are raised while a job is under way name that job."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from telecine.exceptions import TelecineError

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class _HasId(Protocol):
    @property
    def job_id(self) -> str: ...


_Job = TypeVar("_Job", bound=_HasId)


@contextmanager
def about_job(job_id: str) -> Iterator[None]:
    """Whatever of ours is raised inside names the job: in `TelecineError.job_id`, and below the traceback."""
    try:
        yield
    except TelecineError as error:
        if not error.job_id:
            error.job_id = job_id
            error.add_note(f"Job: {job_id}")
        raise


def names_job(
    method: Callable[Concatenate[_Job, _Parameters], _Result],
) -> Callable[Concatenate[_Job, _Parameters], _Result]:
    """A method of a job, whose errors name the job."""

    @wraps(method)
    def named(self: _Job, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with about_job(self.job_id):
            return method(self, *args, **kwargs)

    return named


def names_job_async(
    method: Callable[Concatenate[_Job, _Parameters], Coroutine[Any, Any, _Result]],
) -> Callable[Concatenate[_Job, _Parameters], Coroutine[Any, Any, _Result]]:
    """A coroutine method of a job, whose errors name the job."""

    @wraps(method)
    async def named(self: _Job, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with about_job(self.job_id):
            return await method(self, *args, **kwargs)

    return named
