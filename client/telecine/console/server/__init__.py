"""What takes requests: who may come in, sessions, routes, and the port."""
