"""Generated stubs of telecine.logs."""
