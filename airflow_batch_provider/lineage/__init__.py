"""What others are told of an export: Airflow's assets, and OpenLineage."""
