"""JSON Schemas of what Telecine writes: the encoder's manifest and the manifest of a stage."""
