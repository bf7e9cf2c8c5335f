"""From an Airflow connection to a vendor's API."""
