"""How the command line shows what it has to say."""
