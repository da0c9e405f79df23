"""`telecine keys`: makes, lists and revokes the API keys of a service."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from telecine.cli.options import JsonOption
from telecine.cli.show import terminal
from telecine.cli.show.exits import epilog
from telecine.cli.show.failures import UsageError, missing_extra
from telecine.cli.show.terminal import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service_host.auth.key_file import StoredKey

app = typer.Typer(
    help="Make, list and revoke the API keys of a service; its setting host.auth.keys_file names the file.",
    epilog=epilog(),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

FileOption = Annotated[
    Path, typer.Option("--file", "-f", metavar="FILE", help="The file of keys, which holds their hashes.")
]


OriginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--origin",
        metavar="ORIGIN",
        help="A web page that it is for, such as https://app.example; may be repeated. Such a key stands "
        "in the page for all to read, and may write records alone. Default: it is for programs.",
    ),
]


class KeyDocument(msgspec.Struct, frozen=True):
    """One key; all but the key itself."""

    id: str
    subject: str
    tenant: str
    scopes: list[str]
    created_at: str
    """A time in ISO 8601, as the others are."""
    expires_at: str | None
    """null: never."""
    revoked_at: str | None
    """null: it is valid until it expires."""
    origins: list[str]
    """The web pages that it is for; empty: it is for programs."""


class CreatedDocument(msgspec.Struct, frozen=True):
    """What `telecine keys create --json` prints."""

    key: str
    """The key itself. It is shown here once, and kept nowhere."""
    stored: KeyDocument


class ListDocument(msgspec.Struct, frozen=True):
    """What `telecine keys list --json` prints."""

    keys: list[KeyDocument]


@app.command("create", epilog=epilog())
def create(
    *,
    file: FileOption,
    subject: Annotated[str, typer.Option("--subject", metavar="NAME", help="Who will use it.")],
    scopes: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="encode, read, admin, logs.write, logs.read or metrics; may be repeated.",
        ),
    ],
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="NAME", help="Whose jobs and records it opens.")
    ] = "default",
    expires_days: Annotated[
        int | None,
        typer.Option(
            "--expires-days", min=1, max=36_500, metavar="DAYS", help="Default: it does not expire."
        ),
    ] = None,
    origins: OriginOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once: the file holds its hash alone. A running service takes it up at once."""
    try:
        from service_host.auth.key_file import changing, new_key
        from service_host.auth.scopes import Scope
    except ModuleNotFoundError as error:
        raise missing_extra("hosting", error) from error
    unknown = [scope for scope in scopes if scope not in set(Scope)]
    if unknown:
        raise UsageError(f"--scope {unknown[0]!r} is none", f"name some of {', '.join(Scope)}")
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    expires_at = None if expires_days is None else now + datetime.timedelta(days=expires_days)
    chosen = tuple(dict.fromkeys(Scope(scope) for scope in scopes))
    with _explained(), changing(file) as keys:
        key, stored = new_key(
            subject, tenant, chosen, created_at=now, expires_at=expires_at, origins=tuple(origins or ())
        )
        keys.append(stored)
    document = CreatedDocument(key, _document(stored))
    terminal.show(document, lambda console: _render_created(console, document), as_json=as_json)


@app.command("list", epilog=epilog())
def list_keys(*, file: FileOption, as_json: JsonOption = False) -> None:
    """List the keys of a file, the revoked and expired ones too."""
    try:
        from service_host.auth.key_file import read_keys
    except ModuleNotFoundError as error:
        raise missing_extra("hosting", error) from error
    with _explained():
        document = ListDocument([_document(key) for key in read_keys(file)])
    terminal.show(document, lambda console: _render_list(console, document), as_json=as_json)


@app.command("revoke", epilog=epilog())
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `telecine keys list` shows it.")],
    *,
    file: FileOption,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key. Services refuse it from then on, and end its streams within 5 seconds."""
    try:
        from service_host.auth.key_file import changing
    except ModuleNotFoundError as error:
        raise missing_extra("hosting", error) from error
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    with _explained(), changing(file) as keys:
        index = next((index for index, key in enumerate(keys) if key.id == key_id), None)
        if index is None:
            raise UsageError(f"{file} has no key {key_id!r}", "`telecine keys list` shows the ids")
        if keys[index].revoked_at is None:
            keys[index] = msgspec.structs.replace(keys[index], revoked_at=now)
        document = _document(keys[index])
    text = f"revoked {document.id}, the key of {document.subject} ({document.tenant})"
    terminal.show(document, lambda console: console.print(escape(text)), as_json=as_json)


class _explained:  # noqa: N801 - reads as the context manager that it is
    """Turns what is wrong with a file of keys into the error of the command."""

    def __enter__(self) -> None:
        """Begins the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        from service_host.auth.key_file import KeyFileError

        if isinstance(error, KeyFileError):
            raise UsageError(str(error), "name a file that `telecine keys create` has made") from error


def _document(key: StoredKey) -> KeyDocument:
    times = (key.created_at, key.expires_at, key.revoked_at)
    created, expires, revoked = (None if time is None else time.isoformat() for time in times)
    return KeyDocument(
        key.id,
        key.subject,
        key.tenant,
        [str(scope) for scope in key.scopes],
        created or "",
        expires,
        revoked,
        list(key.origins),
    )


def _render_created(console: Console, document: CreatedDocument) -> None:
    stored = document.stored
    console.print(document.key, markup=False)
    terminal.notices().print(
        escape(
            f"key {stored.id} for {stored.subject} ({stored.tenant}): {', '.join(stored.scopes)}; "
            f"it expires {stored.expires_at or 'never'}. It is shown this once: "
            + ("it may stand in the page." if stored.origins else "keep it as a secret.")
        )
    )


def _render_list(console: Console, document: ListDocument) -> None:
    table = terminal.table("id", "subject", "tenant", "scopes", "expires", "revoked", whole=("id",))
    for row in _rows(document):
        table.add_row(*row)
    console.print(table)


def _rows(document: ListDocument) -> Iterator[tuple[str, ...]]:
    for key in document.keys:
        texts = (key.id, key.subject, key.tenant, ", ".join(key.scopes), key.expires_at or "never")
        yield *(escape(text) for text in texts), escape(key.revoked_at or "")
