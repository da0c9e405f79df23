"""What hosts a gRPC service, whichever it is: configuration, start, health, interceptors, drain, metrics.

This package imports no service. Nothing is imported here, so that `service_host.malloc` stays cheap
for an entry point that is about to start itself again.
"""
