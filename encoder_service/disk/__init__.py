"""How much of the disk behind the data directory may be used."""
