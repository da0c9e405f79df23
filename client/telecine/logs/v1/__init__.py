"""Generated stubs of telecine.v1."""
