"""Requests as our own types, with every wrong field named."""
