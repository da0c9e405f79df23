"""`telecine verify`: hashes and decodes artifacts again, and compares them with their manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from telecine.cli.options import JsonOption
from telecine.cli.show import documents as doc
from telecine.cli.show import terminal
from telecine.cli.show.exits import ExitCode
from telecine.cli.show.failures import UsageError, missing_extra
from telecine.cli.show.terminal import escape

PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="A manifest, a job directory, a directory of those, or one artifact beside its manifest.",
        show_default=False,
    ),
]


def verify(paths: PathsArgument, *, as_json: JsonOption = False) -> None:
    """Check artifacts against their manifest: exit code 0, or 1 with each finding."""
    document = verify_paths(paths)
    terminal.show(document, lambda console: render_verification(console, document), as_json=as_json)
    raise typer.Exit(int(ExitCode.OK if document.is_sound else ExitCode.FINDINGS))


def verify_paths(paths: Sequence[Path]) -> doc.VerifyDocument:
    """Hashes and decodes everything below the paths. Raises UsageError for one that does not exist."""
    try:
        from encoder_service.worker.verification.verify import verify as check
    except ModuleNotFoundError as error:
        raise missing_extra("encoder", error) from error
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"{', '.join(missing)} does not exist", "check the path")
    checked = [check(path) for path in paths]
    findings = [finding for each in checked for finding in each.findings]
    return doc.VerifyDocument(
        is_sound=not findings,
        manifests=[str(manifest) for each in checked for manifest in each.manifests],
        files_checked=sum(each.files_checked for each in checked),
        findings=[doc.FindingDocument(str(each.code), each.path, each.message) for each in findings],
    )


def render_verification(console: Console, document: doc.VerifyDocument) -> None:
    """Each finding in a line, and the sum of it."""
    for finding in document.findings:
        console.print(
            f"{terminal.mark('problem', finding.code)} {escape(finding.path)}: {escape(finding.message)}"
        )
    files = _counted(document.files_checked, "file")
    manifests = _counted(len(document.manifests), "manifest")
    if document.is_sound:
        verdict = terminal.mark("ok", "sound")
        console.print(f"{verdict}: {files} of {manifests} hashed, decoded and compared")
    else:
        verdict = terminal.mark("problem", _counted(len(document.findings), "finding"))
        console.print(f"{verdict} in {files} of {manifests}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
