"""How errors are reported to clients."""
