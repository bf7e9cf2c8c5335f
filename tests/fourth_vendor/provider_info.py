"""What the package with Acme's file tells Airflow, by an entry point of the group ``apache_airflow_provider``."""

from typing import Any

from airflow_batch_provider.connections import connection_type
from tests.fourth_vendor.acme import VENDOR


def get_provider_info() -> dict[str, Any]:
    """Return the metadata, in the form of Airflow's ``provider.yaml``."""
    form = connection_type(
        VENDOR.name,
        hook="tests.fourth_vendor.acme.AcmeHook",
        title=VENDOR.title,
        base_url=VENDOR.base_url,
        key="Acme: Account > Keys",
        extras=VENDOR.extras,
    )
    return {
        "package-name": "acme-airflow-provider",
        "name": "Acme Transcription",
        "description": "List, wait for and export the jobs of Acme Transcription.",
        "versions": ["1.0.0"],
        "connection-types": [form],
    }
