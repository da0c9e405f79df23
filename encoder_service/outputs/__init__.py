"""One module per way of producing an output from frames."""
