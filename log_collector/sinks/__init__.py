"""Where records go: each sink is an independent reader of the journal."""
