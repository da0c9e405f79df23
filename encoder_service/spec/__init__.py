"""What may be asked for and made: data, no I/O."""
