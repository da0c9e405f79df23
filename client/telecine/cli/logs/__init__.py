"""`telecine logs`."""
