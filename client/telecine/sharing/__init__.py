"""What a client shares with a server on its own machine, and how it proves to be there."""
