"""OpenAI's Batch API in Airflow."""
