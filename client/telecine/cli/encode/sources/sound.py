"""The sound of a source, or of a file of its own, as samples that begin with the first picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from telecine.cli.show.failures import SourceError
from telecine.installation import install_command
from telecine.request.source_warnings import SourceCode, SourceWarning

if TYPE_CHECKING:
    from encoder_service.worker.libav.sources.sound import SourceSound

_ADVICE = "check that it plays, or convert it to WAV first; --no-audio leaves the sound out"
_DAMAGE_ADVICE = "take a whole copy of it, or add --allow-damaged; --no-audio leaves the sound out"


class ClipSound:
    """One sound track, to be sent after the pictures. Not thread-safe."""

    def __init__(
        self, sound: SourceSound, name: str, begins_at: Callable[[], Fraction | None], *, allows_damage: bool
    ) -> None:
        """Takes over an open track. Raises SourceError where it is damaged, unless that is allowed."""
        self.name = name
        self.sample_rate = sound.sample_rate
        self.layout = sound.layout
        self.sample_format = sound.sample_format
        """`s16`, `s32` or `flt`."""
        self.damage: list[str] = []
        """What was found broken so far, where that is allowed."""
        self._sound = sound
        self._begins_at = begins_at
        self._allows_damage = allows_damage
        self._note_damage()

    @property
    def losses(self) -> list[SourceWarning]:
        """What is not taken of it; complete once `pieces` has ended."""
        return [SourceWarning(SourceCode(loss.code.value), loss.message) for loss in self._sound.losses]

    def describe(self) -> str:
        """For people: "sound: 48000 Hz stereo"."""
        return f"sound: {self.sample_rate} Hz {self.layout}"

    def pieces(self, seconds: Fraction) -> Iterator[npt.NDArray[Any]]:
        """Yields arrays (samples, channels), once; the pictures have ended and last `seconds`.

        Raises SourceError where the sound is damaged, unless that is allowed.
        """
        from encoder_service.spec.errors import OutputError

        try:
            for piece in self._sound.pieces(self._begins_at(), seconds):
                self._note_damage()
                yield piece
        except OutputError as error:
            raise SourceError(str(error), _ADVICE) from error
        finally:
            self.close()
        self._note_damage()

    def close(self) -> None:
        """Lets go of the file; idempotent."""
        self._sound.close()

    def _note_damage(self) -> None:
        self.damage[:] = [f"sound: {fault}" for fault in self._sound.damage]
        if self.damage and not self._allows_damage:
            self.close()
            raise SourceError(f"{self.name} is damaged: {self.damage[0]}", _DAMAGE_ADVICE)


def open_sound(
    path: Path, begins_at: Callable[[], Fraction | None], *, allows_damage: bool
) -> ClipSound | None:
    """Opens the sound of a file; None where it has none. Raises SourceError.

    `begins_at` says, once the pictures have ended, when the first of them is shown on the file's clock.
    """
    try:
        from encoder_service.spec.errors import OutputError
        from encoder_service.worker.libav.sources.sound import open_source_sound
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{path}: reading sound needs FFmpeg, which is not installed ({error.name})",
            f"install it with: {install_command('encoder')}",
        ) from error
    try:
        sound = open_source_sound(path)
    except OutputError as error:
        raise SourceError(str(error), _ADVICE) from error
    if sound is None:
        return None
    return ClipSound(sound, str(path), begins_at, allows_damage=allows_damage)


def open_sound_file(path: Path, *, allows_damage: bool) -> ClipSound:
    """Opens a file of `--audio`; its first sample is heard with the first picture. Raises SourceError."""
    if not path.is_file():
        raise SourceError(f"--audio: {path} is no file", "name a file with sound: WAV, FLAC, MP3, MP4 …")
    sound = open_sound(path, lambda: None, allows_damage=allows_damage)
    if sound is None:
        raise SourceError(f"--audio: {path} has no sound", "name a file with sound: WAV, FLAC, MP3, MP4 …")
    return sound
