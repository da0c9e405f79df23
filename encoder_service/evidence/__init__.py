"""What is claimed of an artifact, and how it can be checked."""
