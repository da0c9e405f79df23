"""What others log or raise, as records."""
