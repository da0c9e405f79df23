"""Records on their way to the collector: spooled first, then sent."""
