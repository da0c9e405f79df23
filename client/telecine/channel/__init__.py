"""The SDK's only door to gRPC: calls go out of it, and only `telecine.exceptions` come back."""
