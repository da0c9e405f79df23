"""Bytes of containers, without a codec."""
