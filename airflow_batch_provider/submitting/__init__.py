"""How a batch is submitted: what it consists of, the key of the piece of work, and the requests, each sent once."""

from airflow_batch_provider.submitting.preflight import inspect_contacts, inspect_files, inspect_jobs

__all__ = ["inspect_contacts", "inspect_files", "inspect_jobs"]
