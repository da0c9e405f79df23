"""A job from its first byte to its manifest."""
