"""What hosts a gRPC service, whichever it is."""
