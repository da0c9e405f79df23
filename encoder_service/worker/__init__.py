"""The program that touches codecs, one process for each attempt."""
