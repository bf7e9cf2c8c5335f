"""The page "Batches" in Airflow's UI."""
