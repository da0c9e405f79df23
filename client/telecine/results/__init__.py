"""What comes back from a server: jobs, progress, artifacts, and their download."""
