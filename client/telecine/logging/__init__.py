"""Structured logging that survives the process: records go to a spool first, then to the log collector."""
