"""TLS of every port of a service: its settings, the certificate in force and its renewal, expiry."""
