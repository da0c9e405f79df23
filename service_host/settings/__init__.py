"""The settings that every service has, and their reload."""
