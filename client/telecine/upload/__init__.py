"""The upload as a state machine without I/O, and what it sends."""
