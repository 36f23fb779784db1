"""Kafka: clients with every default that matters set, the topics as they should be, and reading a log by position."""
