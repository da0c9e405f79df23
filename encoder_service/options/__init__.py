"""What a client may set on each encoder: options with types and ranges, as data, and their reader."""
