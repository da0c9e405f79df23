"""`telecine encode`."""
