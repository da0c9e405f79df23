"""SQL over a directory of log files, packed ones included: the only door to DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telecine.cli.show.failures import SourceError, UnavailableHereError, UsageError
from telecine.installation import install_command


def run_sql(directory: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Returns the columns and rows of a query over `records`, every record of every service once.

    Raises UsageError for SQL that cannot be run, SourceError where there are no files.
    """
    try:
        import duckdb

        from log_collector.files.names import files_in, is_service_stream
    except ModuleNotFoundError as error:
        raise UnavailableHereError(
            f"SQL needs a package that is not installed: {error.name}", install_command("collector")
        ) from error
    root = directory / "logs" if (directory / "logs").is_dir() else directory
    paths = [str(file.path) for file in files_in(root) if is_service_stream(file.stream)]
    if not paths:
        raise SourceError(f"there are no log files in {directory}", "name a collector's data directory")
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    with duckdb.connect(":memory:") as database:
        try:
            database.execute("SET TimeZone = 'UTC'")
            database.execute(
                f"CREATE VIEW records AS SELECT * FROM read_json([{listed}], format='newline_delimited', "  # noqa: S608 - names of files, quoted
                "union_by_name=true, ignore_errors=true, sample_size=100000, maximum_object_size=4194304)"
            )
            result = database.execute(sql)
            return [column[0] for column in result.description or ()], result.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"the SQL cannot be run: {error}", "the table is called `records`") from error
