"""Anthropic's Message Batches API in Airflow."""
