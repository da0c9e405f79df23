"""Settings of the SDK, its logging and both services: one way from files, environment and flags to values."""
