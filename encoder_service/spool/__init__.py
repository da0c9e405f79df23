"""Frames on the disk: appended, acknowledged, hashed."""
