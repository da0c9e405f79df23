"""What is asked of the services, with the credentials of one session."""
