"""A job's story for people: its stages as a table, and whether all of its records arrived."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from telecine.cli.show import terminal
from telecine.cli.show.terminal import escape
from telecine.clients.logs import JobStory


def stage_table(story: JobStory) -> Table:
    """One row for each stage and attempt, in the order of their start; the first attempt is 1."""
    numbers = ("attempt", "took", "records", "errors")
    table = terminal.table("stage", "service", *numbers, numbers=numbers)
    for stage in story.stages:
        took = terminal.seconds_text(stage.duration_seconds)
        figures = (str(stage.attempt + 1), took, str(stage.records), str(stage.errors))
        table.add_row(escape(stage.stage), escape(stage.service), *figures)
    return table


def story_summary(story: JobStory) -> str:
    """One line of console markup."""
    is_whole = story.record_count == story.expected_record_count
    arrived = f"{story.record_count} of {story.expected_record_count} records arrived"
    return (
        f"[bold]{escape(story.job_id)}[/]  {terminal.mark('ok' if is_whole else 'problem', arrived)}, "
        f"{story.error_count} errors, {terminal.seconds_text(story.duration_seconds)}"
    )


def render_story(console: Console, story: JobStory) -> None:
    """Shows a story's stages and whether all of its records arrived."""
    console.print()
    console.print(stage_table(story))
    console.print(story_summary(story))
