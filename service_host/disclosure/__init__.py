"""What a service tells its clients of the machine it runs on."""
