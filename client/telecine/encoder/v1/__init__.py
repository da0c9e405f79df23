"""Generated stubs of telecine.encoder.v1."""
