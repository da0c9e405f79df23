"""The encoder service: frames in, film out."""
