"""The log collector: every record accounted for."""
