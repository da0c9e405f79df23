"""Generated stubs of telecine.errors."""
