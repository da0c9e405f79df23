"""What callers hold as frames, as the bytes that are sent."""
