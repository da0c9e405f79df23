"""The journal: redacted batches, durable before they are acknowledged, read by every sink at its own pace."""

from log_collector.journal.contract import (
    JournalClosedError,
    JournalFailedError,
    JournalFullError,
    JournalLimits,
    NewBatch,
)
from log_collector.journal.cursors import Cursor, CursorStore
from log_collector.journal.entry import UNSEQUENCED, Encoding, EntryError, EntryHeader, Origin, StoredBatch
from log_collector.journal.journal import Journal
from log_collector.journal.producers import Admission, Producer, Verdict

__all__ = [
    "UNSEQUENCED", "Admission", "Cursor", "CursorStore", "Encoding", "EntryError", "EntryHeader", "Journal",
    "JournalClosedError", "JournalFailedError", "JournalFullError", "JournalLimits", "NewBatch", "Origin",
    "Producer", "StoredBatch", "Verdict",
]  # fmt: skip
