"""Thins out high-volume stages: by its hash a job is whole, or keeps the first and last of each stage."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from telecine.logging.record.sampling import SampleUnit, is_whole

from log_collector.processors.undo import Undo
from log_collector.record import RecordKey

_MAX_REMEMBERED_NAMES: Final = 10_000


class SamplingRule(msgspec.Struct, frozen=True):
    """Keeps 1 job in `rate` whole, and of the others the first and last record of the stage; or 1 record in
    `rate`."""

    rate: Annotated[int, msgspec.Meta(ge=1)]
    """1 keeps everything."""
    stage: str = ""
    """The stage, or a pattern such as "provider:*". Empty: any stage, where `event` is given."""
    event: str = ""
    """The event's name, or a pattern. Empty: any event, where `stage` is given."""
    service: str = "*"
    """The service, or a pattern."""
    by: SampleUnit = SampleUnit.JOB
    """"job": of what 1 in `rate` is kept are whole jobs. "record": single records, whichever their job."""

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if not self.stage and not self.event:
            yield "stage", "expected a stage or an event, or both"


_KEEPS_ALL: Final = SamplingRule(rate=1)


class _Course(msgspec.Struct):
    """One stage of one job under a rule."""

    seen_seconds: float
    held: bytes | None = None
    """Its latest record that was left out: the last one, if no other comes."""
    left_out: int = 0
    """How many were left out and are not reported yet, without the held one."""


class Sampler:
    """Decides in the order of arrival. Bounded: beyond `max_stages` the stage unseen for longest is ended.

    Its decision depends on the job's id and the rate alone; what it remembers is which record was the
    first and which may be the last.
    """

    def __init__(self, rules: Sequence[SamplingRule], max_stages: int) -> None:
        self._rules = tuple(rules)
        self._max_stages = max_stages
        self._courses: OrderedDict[tuple[str, str, str], _Course] = OrderedDict()
        self._held_by_job: dict[tuple[str, str], dict[str, None]] = {}
        self._held_count = 0
        self._found: dict[tuple[str, str, str], SamplingRule] = {}

    def rate_of(self, key: RecordKey) -> int:
        """1 in how many jobs a record's rule keeps whole; 1: no rule applies."""
        if key.sample_rate is not None or not (key.stage or key.event):
            return 1
        return self._rule_of(key).rate

    def _rule_of(self, key: RecordKey) -> SamplingRule:
        name = (key.service, key.stage or "", key.event or "")
        rule = self._found.get(name)
        if rule is None:
            if len(self._found) >= _MAX_REMEMBERED_NAMES:
                self._found.clear()
            rule = next((r for r in self._rules if _applies(r, *name)), _KEEPS_ALL)
            self._found[name] = rule
        return rule

    def _job_of(self, key: RecordKey) -> str:
        """What is whole or thin; empty: records are judged one by one."""
        if self._rule_of(key).by is SampleUnit.RECORD:
            return ""
        return key.job or ("" if key.request_id is None else str(key.request_id))

    def sample(
        self, line: bytes, key: RecordKey, rate: int, now_seconds: float, undo: Undo
    ) -> tuple[bytes | None, int]:
        """Judges a record under a rule: the line to keep, if any, and how many are given up for good.

        A line that is not kept may still be held; `held_count` says how many are.
        """
        job = self._job_of(key)
        if not job:
            chosen = is_whole(hashlib.blake2b(line, digest_size=8).hexdigest(), rate)
            return (with_fields(line, b'"sample_rate":%d' % rate), 0) if chosen else (None, 1)
        stage = key.stage or key.event or ""
        place = (key.service, job, stage)
        course = self._courses.get(place)
        if course is None:
            self._courses[place] = _Course(now_seconds)
            undo.add(lambda: self._courses.pop(place, None))
            return line, 0
        self._courses.move_to_end(place)
        course.seen_seconds = now_seconds
        if is_whole(job, rate):
            return with_fields(line, b'"sample_rate":%d' % rate), 0
        given_up = 0 if course.held is None else 1
        before = (course.held, course.left_out)
        if course.held is not None:
            undo.given.append(course.held)
        course.held, course.left_out = line, course.left_out + given_up
        undo.taken.append((course.left_out, line))
        self._note_held(place)
        undo.add(lambda: self._restore(place, *before))
        return None, given_up

    def restore(self, line: bytes, key: RecordKey, left_out: int, now_seconds: float) -> bool:
        """Holds again what was held before a restart; False: by the rules in force it is not to be held."""
        job = self._job_of(key)
        rate = self.rate_of(key)
        place = (key.service, job, key.stage or key.event or "")
        if not job or rate == 1 or is_whole(job, rate) or place in self._courses:
            return False
        self._courses[place] = _Course(now_seconds, line, left_out)
        self._note_held(place)
        return True

    def end_stages(self, service: str, job: str, undo: Undo) -> list[bytes]:
        """A record of no sampled stage came: the held ones of its service and job were the last."""
        stages = self._held_by_job.get((service, job))
        if not stages:
            return []
        return [line for stage in list(stages) for line in self._release((service, job, stage), undo)]

    def end_oldest(self, undo: Undo) -> list[bytes]:
        """Keeps within the bound; returns the lines of the stages that are ended by it."""
        ended: list[bytes] = []
        while len(self._courses) > self._max_stages:
            place = next(iter(self._courses))
            ended += self._release(place, undo)
            course = self._courses.pop(place)
            undo.add(partial(self._courses.__setitem__, place, course))
        return ended

    def end_idle(self, before_seconds: float, undo: Undo) -> list[bytes]:
        """Lines of the stages in which nothing happened since then."""
        idle = [p for p, c in self._courses.items() if c.held is not None and c.seen_seconds < before_seconds]
        return [line for place in idle for line in self._release(place, undo)]

    @property
    def held_count(self) -> int:
        """How many records are held."""
        return self._held_count

    def _release(self, place: tuple[str, str, str], undo: Undo) -> list[bytes]:
        course = self._courses.get(place)
        if course is None or course.held is None:
            return []
        before = (course.held, course.left_out)
        undo.given.append(course.held)
        line = with_fields(course.held, b'"sample_rate":0,"sampled_out":%d' % course.left_out)
        course.held, course.left_out = None, 0
        self._forget_held(place)
        undo.add(lambda: self._restore(place, *before))
        return [line]

    def _restore(self, place: tuple[str, str, str], held: bytes | None, left_out: int) -> None:
        course = self._courses.get(place)
        if course is None:
            return
        course.held, course.left_out = held, left_out
        if held is None:
            self._forget_held(place)
        else:
            self._note_held(place)

    def _note_held(self, place: tuple[str, str, str]) -> None:
        stages = self._held_by_job.setdefault(place[:2], {})
        self._held_count += place[2] not in stages
        stages[place[2]] = None

    def _forget_held(self, place: tuple[str, str, str]) -> None:
        stages = self._held_by_job.get(place[:2], {})
        if place[2] in stages:
            del stages[place[2]]
            self._held_count -= 1
        if not stages:
            self._held_by_job.pop(place[:2], None)


def with_fields(line: bytes, fields: bytes) -> bytes:
    """The record with further fields at its end; it is a JSON object that has at least one."""
    return line.rstrip()[:-1] + b"," + fields + b"}"


def _applies(rule: SamplingRule, service: str, stage: str, event: str) -> bool:
    return (
        fnmatch.fnmatchcase(service, rule.service)
        and (not rule.stage or fnmatch.fnmatchcase(stage, rule.stage))
        and (not rule.event or fnmatch.fnmatchcase(event, rule.event))
    )
