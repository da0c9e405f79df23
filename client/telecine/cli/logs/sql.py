"""SQL over a directory of log files, packed ones included: the only door to DuckDB.

A query reads the logs and nothing else: no other file, no address, no extension, no variable of the program;
and it changes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telecine.cli.logs.forms.any_lines import is_sound, record_pieces
from telecine.cli.logs.source import log_files_root
from telecine.cli.logs.sql_columns import Column, Seen, columns_of
from telecine.cli.show.failures import SourceError, UnavailableHereError, UsageError
from telecine.installation import install_command

_MAX_OBJECT_BYTES: Final = 16 << 20
_READING: Final = f"format='newline_delimited', ignore_errors=true, maximum_object_size={_MAX_OBJECT_BYTES}"
_SEEN: Final = (
    "SELECT key, type, count(*), max(CASE WHEN type IN ('DOUBLE', 'VARCHAR', 'OBJECT', 'ARRAY', 'NULL') "
    "THEN NULL ELSE abs(TRY_CAST(value AS DOUBLE)) END), "
    "count(*) FILTER (type = 'VARCHAR' AND value IN ('\"NaN\"', '\"Infinity\"', '\"-Infinity\"')) "
    "FROM lines, json_each(lines.json) WHERE json_type(lines.json) = 'OBJECT' GROUP BY key, type"
)
_CONFINED: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def run_sql(
    directory: Path, sql: str, damaged: list[str] | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Returns the columns and rows of a query over `records`, every record of every service once.

    `lines` has them as they are written, in one column `json`. What files could not be read to their end
    is added to `damaged`. Raises UsageError for SQL that cannot be run, SourceError where there are no files.
    """
    try:
        import duckdb

        from log_collector.files.names import files_in, is_service_stream
    except ModuleNotFoundError as error:
        raise UnavailableHereError(
            f"SQL needs a package that is not installed: {error.name}", install_command("collector")
        ) from error
    paths = [file.path for file in files_in(log_files_root(directory)) if is_service_stream(file.stream)]
    if not paths:
        raise SourceError(
            f"there are no log files in {directory}",
            "name the data directory of a collector or of `telecine serve all`, or one with *.log files",
        )
    with tempfile.TemporaryDirectory() as place, duckdb.connect(":memory:") as database:
        try:
            _require_questions(duckdb.extract_statements(sql), duckdb.StatementType)
            readable = _readable(paths, Path(place), [] if damaged is None else damaged)
            listed = ", ".join(_text(_exact(str(path))) for path in readable)
            # Access is asked for by the pattern first, then by the name that it finds.
            allowed = ", ".join(_text(str(path)) for path in readable)
            database.execute("SET TimeZone = 'UTC'")
            database.execute(f"SET allowed_paths = [{listed}, {allowed}]")
            for setting in _CONFINED:
                database.execute(setting)
            database.execute(
                f"CREATE VIEW lines AS SELECT json FROM read_json_objects([{listed}], {_READING}) "  # noqa: S608 - names of files, quoted
                "WHERE json IS NOT NULL"
            )
            seen = [Seen(*row) for row in database.execute(_SEEN).fetchall()]
            database.execute(_records_view(listed, columns_of(seen)))
            result = database.execute(sql)
            return [column[0] for column in result.description or ()], result.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"the SQL cannot be run: {error}", "the table is called `records`") from error


def _require_questions(statements: Sequence[Any], kinds: Any) -> None:
    """Raises UsageError for anything but one question."""
    if len(statements) != 1 or statements[0].type not in (kinds.SELECT, kinds.EXPLAIN):
        raise UsageError("--sql takes one question", "begin it with SELECT, FROM, WITH or DESCRIBE")


def _readable(paths: Sequence[Path], place: Path, damaged: list[str]) -> list[Path]:
    """The files themselves; of one that is damaged, or has lines that are no JSON, a copy of its records."""
    from log_collector.query.reading_files import read_sound_blocks

    found = []
    for path in paths:
        known = len(damaged)
        # Read to its end though a line was found that is no JSON: its damage would be missed.
        are_sound = [is_sound(block) for _, block in read_sound_blocks(path, damaged)]
        if len(damaged) == known and all(are_sound):
            found.append(path)
            continue
        sound = place / f"{len(found)}.log"
        with sound.open("wb") as copy:
            for _, block in read_sound_blocks(path, [], record_pieces):
                copy.write(block)
        found.append(sound)
    return [path.absolute() for path in found]


def _records_view(listed: str, columns: Sequence[Column]) -> str:
    condition = "WHERE NOT (timestamp IS NULL AND level IS NULL AND msg IS NULL)"
    if len({column.key.lower() for column in columns}) < len(columns):
        # DuckDB's reader takes keys that differ by case for one; taken apart one by one they are slower.
        chosen = ", ".join(f"{_extracted(column)} AS {_name(column.name)}" for column in columns)
        return f"CREATE VIEW records AS SELECT * FROM (SELECT {chosen} FROM lines) {condition}"  # noqa: S608 - names, quoted
    types = ", ".join(f"{_text(column.key)}: {_text(column.type)}" for column in columns)
    names = ", ".join(_name(column.name) for column in columns)
    return (
        "CREATE VIEW records AS SELECT * FROM "  # noqa: S608 - names, quoted
        f"read_json([{listed}], {_READING}, columns={{{types}}}) AS records({names}) {condition}"
    )


def _extracted(column: Column) -> str:
    escaped = column.key.replace("\\", "\\\\").replace('"', '\\"')
    path = _text(f'$."{escaped}"')
    if column.type == "JSON":
        return f"json_extract(json, {path})"
    return f"TRY_CAST(json_extract_string(json, {path}) AS {column.type})"


def _exact(name: str) -> str:
    """The pattern that finds this one name: DuckDB takes every name of a file for a pattern."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in name)


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
