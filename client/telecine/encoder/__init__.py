"""Generated stubs of telecine.encoder."""
