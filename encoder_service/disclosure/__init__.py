"""Who may hear of this machine: clients that proved to be the same user on it."""
