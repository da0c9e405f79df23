"""`telecine serve`."""
