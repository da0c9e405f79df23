"""The rows of docs/seeds.md, and which test runs the example of each."""

# ruff: noqa: E501 - a test's place is one word

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "seeds.md"
_F = TypeVar("_F", bound=Callable[..., object])


def _rows() -> dict[str, str]:
    found = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {named: here for named, here in found if named != "named there"}


ROWS = _rows()
"""What the documents name, and where it is here."""
SHOWN: dict[str, str] = {}
"""A row's name, and the test that runs its example."""


def shows(*names: str) -> Callable[[_F], _F]:
    """Says which rows a test runs the example of."""

    def note(test: _F) -> _F:
        for name in names:
            assert name in ROWS, f"{name!r} is no row of {PAGE.name}"
            SHOWN[name] = test.__qualname__
        return test

    return note


ELSEWHERE = {
    "`AudioConfig`: enabled, volume, fades": "tests/encoder_service/worker/audio/test_sound_track.py::test_volume_and_fades_are_applied_in_the_time_of_the_output",
    "Frontend as a service": "tests/log_collector/http/test_browser.py::test_a_page_ships_its_records_once_and_never_notices",
    "Acceptance tests, examples": "tests/demo/test_demo.py::test_the_demo_ends_with_verified_artifacts_and_says_where_they_are",
    "Performance figures per format": "tests/benchmarks/test_benchmarks.py::test_a_row_can_be_run_alone_to_see_that_it_works",
    "*Future:* interactive log viewer": "tests/client/cli/logs/watch/test_terminal.py::test_it_draws_takes_keys_follows_the_terminals_size_and_leaves_it_clean",
    "Sentry: events from errors, breadcrumbs, environment": "tests/log_collector/sinks/sentry/test_sentry.py::test_an_exception_that_a_worker_logs_becomes_an_issue_with_its_frames",
    "Elasticsearch, Logstash, Kibana": "tests/log_collector/sinks/elastic/test_elasticsearch.py::test_logstash_gets_an_array_of_the_same_documents",
    "Automated alerting, notifications": "tests/log_collector/sinks/test_webhook.py::test_requests_are_signed_as_the_standard_says",
    "Integration only where its library is there": "tests/client/cli/logs/watch/test_terminal.py::test_a_missing_library_names_what_to_install",
    "Maximum of concurrent tasks": "tests/encoder_service/test_limits_and_reload.py::test_at_most_so_many_jobs_run_at_once",
    "Task timeout": "tests/encoder_service/jobs/test_housekeeping.py::test_the_limit_per_job_counts_from_its_creation",
    "Cleanup interval": "tests/encoder_service/test_limits_and_reload.py::test_leftovers_of_interrupted_work_are_removed_from_time_to_time",
    "Maximum file size": "tests/encoder_service/test_limits_and_reload.py::test_an_artifact_that_is_too_large_fails_its_output_alone",
    "Hot reload": "tests/encoder_service/test_limits_and_reload.py::test_limits_change_while_the_service_runs_and_by_the_file_alone",
    "Rotation and cleanup of log files": "tests/log_collector/files/test_sink.py::test_old_files_are_deleted_and_so_are_old_jobs",
    "Monitoring and alerting (planned)": "tests/service_host/test_host.py::test_metrics_count_calls_by_method_and_status",
    "Unit, property, integration tests, error simulation": "tests/robustness/test_everything_dies.py",
    "Viewing in an admin panel: level, logger, text, user, job": "tests/client/cli/logs/watch/test_watch_screen.py::test_the_filter_works_while_it_is_typed",
    "… stack traces, refresh, pages": "tests/client/cli/logs/watch/test_watch_screen.py::test_scrolling_up_reads_older_pages_to_the_beginning",
    "Quick filters: errors, warnings, info, debug": "tests/client/cli/logs/watch/test_watch_screen.py::test_one_key_leaves_only_records_of_a_level",
    "logrotate": "tests/log_collector/files/test_sink.py::test_logrotate_by_rename_is_followed",
    "Manual rotation, restarting services for it": "tests/client/logging/outputs/test_outputs.py::test_what_logrotate_does_is_noticed",
    "Disk usage": "tests/log_collector/files/test_bounded_files.py::test_every_class_of_files_is_bounded_in_bytes_unless_it_is_said_otherwise",
    "*Future:* compression of log archives": "tests/client/cli/logs/test_commands.py::test_all_records_of_packed_files_are_found",
    "*Future:* sampling of other high-volume events": "tests/log_collector/processors/test_sample.py::test_by_record_a_rule_keeps_single_records_whatever_their_job",
}
"""Rows whose example is run by a test of the room that they are about: a row, and that test."""
