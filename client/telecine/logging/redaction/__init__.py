"""Takes secrets out of records, by key and by look, before any byte of them reaches a disk or a wire."""

from telecine.logging.redaction.redactor import MAX_DEPTH, Counts, Redactor, triggers_of

__all__ = ["MAX_DEPTH", "Counts", "Redactor", "triggers_of"]
