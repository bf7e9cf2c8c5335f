"""An Airflow of one's own on this machine: the sandbox, connections that lead to it, and the example DAGs."""
