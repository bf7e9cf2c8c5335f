"""What the package with Acme tells Airflow, by an entry point of the group ``apache_airflow_provider``."""

from typing import Any

from airflow_batch_provider import vendor_kit as kit
from tests.fourth_vendor.acme import VENDOR


def get_provider_info() -> dict[str, Any]:
    """Return the metadata, in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "acme-airflow-provider",
        "name": "Acme Transcription",
        "description": "List, wait for and export the jobs of Acme Transcription.",
        "versions": ["1.0.0"],
        "connection-types": [kit.connection_type(VENDOR)],
    }
