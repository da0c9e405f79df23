"""The file sink: routing, rotation, retention."""
