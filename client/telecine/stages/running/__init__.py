"""A stage while it runs."""
