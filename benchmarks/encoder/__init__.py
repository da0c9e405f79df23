"""The rows of the encoder's table of promises, one module each."""
