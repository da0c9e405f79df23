"""Telecine's Python SDK: frames in, film out, and every log line accounted for."""
