"""Links that Airflow's UI shows beside a task."""
