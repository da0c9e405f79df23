"""The forms of log lines: those of others, as they are read, and our own, as others read them."""
