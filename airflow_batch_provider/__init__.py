"""Apache Airflow provider for third-party batch APIs: submit, wait, export results and listings."""

from __future__ import annotations

from airflow_batch_provider.airflow_version import require_airflow

__version__ = "0.2.0"

require_airflow()
