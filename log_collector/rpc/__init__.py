"""gRPC in and out: the only door of the log collector to it."""
