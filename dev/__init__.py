"""What only developers run: benchmarks, random kills, a local Airflow, a cluster."""
