"""The five listings of the package, by name, and values that each of them takes."""

from __future__ import annotations

from airflow_batch_provider.vendors import LISTINGS

__all__ = ["LISTINGS", "VALUES"]

VALUES = {"project_id": "p/1", "batch_id": "b 1", "organization_id": "o"}
"""The path of each listing with them is in ``vendor_server.PATHS``."""
