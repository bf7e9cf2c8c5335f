"""Apache Airflow provider for third-party batch APIs: list, wait, export."""

from __future__ import annotations

__version__ = "0.1.0"
