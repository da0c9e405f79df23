"""gRPC in and out: the only door of the encoder service to it."""
