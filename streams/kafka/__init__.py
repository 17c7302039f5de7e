"""Kafka access for the other packages: topics, publishing, headers, admin, schema registry."""
