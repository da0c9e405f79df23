"""OpenTelemetry log records as our own."""
