"""Work that is logged with its beginning, its end and how long it took."""
