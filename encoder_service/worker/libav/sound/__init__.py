"""Sound by FFmpeg: resampling, measuring, encoding, decoding."""
