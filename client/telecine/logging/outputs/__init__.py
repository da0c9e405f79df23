"""Where records go on this machine: the console and files."""
