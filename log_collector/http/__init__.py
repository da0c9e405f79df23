"""Records over HTTP: OTLP, plain lines of JSON, and a logger for browsers."""
