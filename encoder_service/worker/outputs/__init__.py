"""One module for each kind of format: frames in, verified files out."""
