"""How any HTTP endpoint takes records: NDJSON or an array, with an id by which a repeat is known."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from log_collector.sinks.http.door import HttpResponse, Request
from log_collector.sinks.http.responses import Piece, Verdict, judge_whole
from log_collector.sinks.journal_record import JournalRecord
from log_collector.sinks.webhook_config import WebhookConfig, WebhookFormat, signing_key

_IS_THERE = 409


class WebhookWire:
    """A `Wire`. A request never holds records of two batches of the journal, so that it is cut the same way,
    and has the same id, whenever it is sent. Headers and signature are those of standardwebhooks.com."""

    kind = "webhook"
    read_bytes = 512 << 10

    def __init__(self, config: WebhookConfig, clock: Callable[[], float] = time.time) -> None:
        self._url = config.url
        self._format = config.format
        self._keys = [signing_key(secret) for secret in config.signing_secrets]
        self._clock = clock

    def piece(self, record: JournalRecord) -> Piece:
        """See `Wire`. The record as it stands in the journal, with `record_id` at its end."""
        body = b'%s,"record_id":"%s"}' % (record.line.rstrip()[:-1], record.id.encode())
        return Piece(record, body, record.batch_id)

    def passed(self, record: JournalRecord) -> None:
        """See `Wire`."""

    def request(self, pieces: Sequence[Piece]) -> Request:
        """See `Wire`."""
        lines = [piece.body for piece in pieces]
        is_array = self._format is WebhookFormat.ARRAY
        body = b"[" + b",".join(lines) + b"]" if is_array else b"\n".join([*lines, b""])
        # From the first record to the last: halves of a request that was too large are other requests.
        request_id = f"{pieces[0].record.id}-{pieces[-1].record.index:08x}"
        headers = {
            "Content-Type": "application/json" if is_array else "application/x-ndjson",
            "webhook-id": request_id,
            "webhook-timestamp": str(int(self._clock())),
            "X-Telecine-Records": str(len(pieces)),
        }
        if self._keys:
            signed = b".".join((request_id.encode(), headers["webhook-timestamp"].encode(), body))
            headers["webhook-signature"] = " ".join(_signature(key, signed) for key in self._keys)
        return Request(self._url, body, headers)

    def judge(self, answer: HttpResponse, pieces: Sequence[Piece]) -> Verdict:
        """See `Wire`."""
        if answer.status == _IS_THERE:
            return Verdict()
        return judge_whole(answer, pieces, self._clock())


def _signature(key: bytes, signed: bytes) -> str:
    """HMAC-SHA256 over id, time and body, before any compression; standardwebhooks.com."""
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
