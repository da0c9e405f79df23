"""What an export is answered with when its records are durable."""

from __future__ import annotations

from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from log_collector.record import Rejection

_MAX_MESSAGE_CHARS: Final = 1024


def export_response(rejections: tuple[Rejection, ...]) -> ExportLogsServiceResponse:
    """Full success leaves partial_success unset; the client must not send what it names again."""
    response = ExportLogsServiceResponse()
    if rejections:
        response.partial_success.rejected_log_records = sum(r.count for r in rejections)
        message = "; ".join(r.message for r in rejections)
        response.partial_success.error_message = message[:_MAX_MESSAGE_CHARS]
    return response
