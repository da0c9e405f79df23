"""Generated stubs of telecine.logs.v1."""
