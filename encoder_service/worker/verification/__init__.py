"""Decodes a job's artifacts anew and compares them with its manifest, for `telecine verify`."""
