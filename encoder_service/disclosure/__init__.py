"""What is told to whom: messages without paths, and proof that a client is the same user on this machine."""
