"""The only door to FFmpeg."""
