"""`telecine stages`."""
