"""Reports of an export: to Airflow's assets, and to OpenLineage."""
