"""A service's directory, and files that are what they seem."""
