"""The worker as a process: forked, locked in, given its assignment."""
