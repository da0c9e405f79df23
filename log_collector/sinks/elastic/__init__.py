"""Elasticsearch and Logstash."""
