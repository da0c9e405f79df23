"""Grafana Loki."""
