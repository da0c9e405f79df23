"""Another collector."""
