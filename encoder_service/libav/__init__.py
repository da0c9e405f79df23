"""The only door to FFmpeg: nothing outside this package imports `av`, and none of its errors gets out."""
