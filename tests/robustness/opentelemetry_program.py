"""A program that logs with the stock OpenTelemetry SDK and exporter: numbered records, each with a uid."""

from __future__ import annotations

import logging
import sys
import threading
import warnings

from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as over_grpc
from opentelemetry.exporter.otlp.proto.http import _log_exporter as over_http
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource

# Its successor is an instrumentation package; the SDK's own handler is what most services still use.
warnings.filterwarnings("ignore", category=DeprecationWarning)


def main(address: str, count: int) -> None:
    """Says on standard output when each fifth of the records is logged. `address`: a URL is for HTTP."""
    provider = LoggerProvider(resource=Resource.create({"service.name": "stock"}))
    exporter: LogRecordExporter
    if address.startswith("http:"):
        exporter = over_http.OTLPLogExporter(address, timeout=60)
    else:
        exporter = over_grpc.OTLPLogExporter(endpoint=f"http://{address}", insecure=True, timeout=60)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=50))
    logger = logging.getLogger("stock")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.setLevel(logging.INFO)
    pace = threading.Event()
    for n in range(1, count + 1):
        logger.info("n", extra={"n": n, "log.record.uid": f"stock-{n}"})
        # So that exports are under way all the time.
        pace.wait(0.005)
        if n % (count // 5) == 0:
            print(n, flush=True)
    provider.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
