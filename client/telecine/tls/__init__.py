"""TLS of programs: the settings of clients, PEM files that may change, what a failed handshake means."""
