"""Generated stubs of telecine.errors.v1."""
