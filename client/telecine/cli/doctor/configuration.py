"""Checks of what files and variables say, section by section, as the programs would read it."""

from __future__ import annotations

from collections.abc import Iterator

from telecine.cli.config.sections import environment, rows_of
from telecine.cli.show.documents import CheckDocument
from telecine.cli.show.failures import UnavailableHereError
from telecine.settings.config_file import SECTIONS
from telecine.settings.loading import ConfigError


def check_configuration() -> Iterator[CheckDocument]:
    """One problem for each section that its program could not use; one line where all are sound."""
    sound, faulty = [], False
    for section in SECTIONS:
        try:
            rows_of(section, None, {}, environment())
        except UnavailableHereError:
            continue  # its program is not installed, which another check says
        except ConfigError as error:
            faulty = True
            yield CheckDocument(
                name=f"settings of {section}",
                status="problem",
                message=str(error),
                advice="fix what is named, in the file or the variable that is named",
            )
        else:
            sound.append(section)
    if sound and not faulty:
        yield CheckDocument(name="settings", status="ok", message=f"sound: {', '.join(sound)}", advice="")
