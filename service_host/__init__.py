"""What hosts a gRPC service, whichever it is: configuration, start, health, interceptors, drain, metrics.

This package imports no service.
"""
