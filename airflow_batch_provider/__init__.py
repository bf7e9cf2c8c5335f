"""Apache Airflow provider for third-party batch APIs: list, wait, export."""

from __future__ import annotations

from airflow_batch_provider.airflow_version import require_airflow

__version__ = "0.1.0"

require_airflow()
