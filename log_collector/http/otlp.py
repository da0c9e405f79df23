"""OTLP over HTTP: one export request in either of its encodings, and the answer in the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from google.protobuf import json_format

from log_collector.ingest.accounting import Way
from log_collector.otlp.json_form import protobuf_of
from log_collector.otlp.response import export_response
from log_collector.record import Rejection
from log_collector.rpc.export import Translate

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

Export: TypeAlias = Callable[[bytes, str, Way, Translate | None], Awaitable[tuple[Rejection, ...]]]


class OtlpRoute:
    """Answers POST /v1/logs."""

    def __init__(self, export: Export) -> None:
        self._export = export

    async def take(self, body: bytes, content_type: str, sender: str) -> bytes:
        """Returns the response's bytes, in the request's encoding, once every record is durable."""
        is_json = content_type == JSON
        translate = protobuf_of if is_json else None
        rejections = await self._export(body, sender, Way.OTLP_HTTP, translate)
        response = export_response(rejections)
        if is_json:
            return json_format.MessageToJson(response, indent=None).encode()
        return response.SerializeToString()
