"""Frames on their way to an encoder: scaled, converted, drawn over."""
