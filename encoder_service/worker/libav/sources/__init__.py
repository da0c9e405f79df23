"""What is read of a video file beside its samples: times, fields, the shape of its pixels, tags."""
