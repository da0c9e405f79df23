"""`telecine keys`."""
