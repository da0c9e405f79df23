"""The rows of the log collector and of the logging SDK."""
