"""What Airflow reads about this package while it is half imported itself: nothing here may import Airflow."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider import __version__
from airflow_batch_provider.connection_form import connection_type
from airflow_batch_provider.vendors import VENDORS

_PACKAGE = "airflow_batch_provider"

# Airflow formats defaults, so braces have no place there.
_OPTIONS = {
    "export_pages": {
        "description": (
            "Web pages that show exports: a JSON object. Each name is how destinations begin, without a connection, and"
            " its value a URL, in which ``{path}`` stands for the rest of the folder's path. The longest that fits is"
            " taken; where none does, S3 and Google Cloud Storage are linked to the consoles of Amazon and Google."
        ),
        "version_added": None,
        "type": "string",
        "example": '{"s3://raw": "https://console.example.com/browser/raw/{path}"}',
        "default": None,
    },
    "batch_pages": {
        "description": (
            "The vendors' own pages of batches: a JSON object. Each name is a kind of batch (``playment.batch``,"
            " ``llamacloud.batch``, ``llamacloud.batch_processing_job``, ``talkifai.batch_job``), and its value a URL,"
            " in which ``{batch_id}``, ``{project_id}`` and ``{organization_id}`` stand for what the task names. Only"
            " TalkifAI documents its page, so this one is known already."
        ),
        "version_added": None,
        "type": "string",
        "example": '{"playment.batch": "https://studio.example.com/projects/{project_id}/batches/{batch_id}"}',
        "default": None,
    },
}


def _modules(folder: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": vendor.title, "python-modules": [f"{_PACKAGE}.{folder}.{vendor.name}"]}
        for vendor in VENDORS
    ]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "airflow-batch-provider",
        "name": "Third-party batch APIs",
        "description": "Wait for batches of TELUS/Playment, LlamaCloud and TalkifAI, and export their results.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": vendor.title, "external-doc-url": vendor.docs_url, "tags": ["service"]}
            for vendor in VENDORS
        ],
        "hooks": _modules("hooks"),
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": [
            {"integration-name": vendor.title, "python-modules": [f"{_PACKAGE}.triggers.batch"]} for vendor in VENDORS
        ],
        "extra-links": [
            f"{_PACKAGE}.links.batch_page.BatchPageLink",
            f"{_PACKAGE}.links.export_page.PublishedExportLink",
        ],
        "config": {"batch_provider": {"description": "Web pages that tasks link to.", "options": _OPTIONS}},
        "connection-types": [connection_type(vendor) for vendor in VENDORS],
    }
