"""What surrounds every call: bounds, request ids, the access log."""
