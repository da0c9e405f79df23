"""What may be asked of sound: tracks, codecs, layouts and rates, as data."""
