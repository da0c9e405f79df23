"""The sound of an output: how it is planned, fitted to the pictures, processed, and proved."""
