"""`telecine doctor`: looks at everything that encoding needs, and says what to do about what is missing."""

from __future__ import annotations

from telecine.cli.doctor.command import doctor

__all__ = ["doctor"]
