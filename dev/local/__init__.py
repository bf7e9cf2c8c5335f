"""A local Airflow: the sandbox, connections to it, and the example DAGs."""
