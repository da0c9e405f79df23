"""`telecine config`."""
