"""What sinks that speak HTTP share."""
