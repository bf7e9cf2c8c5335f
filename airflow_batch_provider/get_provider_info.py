"""What Airflow reads about this package, without importing anything else of it but the table of extras."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider import __version__
from airflow_batch_provider.connections import EXTRAS, connection_type

_PACKAGE = "airflow_batch_provider"

# Vendor: display name, hook class, documentation, example of the vendor's base URL, of a key.
_VENDORS = {
    "playment": (
        "TELUS/Playment",
        "PlaymentHook",
        "https://annotationdocs.telusinternational.com",
        "https://api.playment.io",
        "GT Studio: Settings > API Keys",
    ),
    "llamacloud": (
        "LlamaCloud",
        "LlamaCloudHook",
        "https://developers.llamaindex.ai",
        "https://api.cloud.llamaindex.ai",
        "llx-...",
    ),
    "talkifai": (
        "TalkifAI",
        "TalkifAIHook",
        "https://docs.talkifai.dev",
        "https://api.talkifai.dev",
        "Studio: Settings > API Keys",
    ),
}


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


def _connection_type(vendor: str) -> dict[str, Any]:
    title, hook, _, base_url, key = _VENDORS[vendor]
    path = f"{_PACKAGE}.hooks.{vendor}.{hook}"
    return connection_type(vendor, hook=path, title=title, base_url=base_url, key=key, extras=EXTRAS[vendor])


def _modules(kind: str) -> list[dict[str, Any]]:
    return [
        {"integration-name": title, "python-modules": [f"{_PACKAGE}.{kind}.{vendor}"]}
        for vendor, (title, *_) in _VENDORS.items()
    ]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "airflow-batch-provider",
        "name": "Third-party batch APIs",
        "description": "List, wait for and export the batches of TELUS/Playment, LlamaCloud and TalkifAI.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": title, "external-doc-url": url, "tags": ["service"]}
            for title, _, url, *_ in _VENDORS.values()
        ],
        "hooks": _modules("hooks"),
        "operators": _modules("operators"),
        "sensors": _modules("sensors"),
        "triggers": [
            {"integration-name": title, "python-modules": [f"{_PACKAGE}.triggers.batch"]}
            for title, *_ in _VENDORS.values()
        ],
        "extra-links": [
            f"{_PACKAGE}.links.batch_page.BatchPageLink",
            f"{_PACKAGE}.links.export_page.PublishedExportLink",
        ],
        "config": {"batch_provider": {"description": "Web pages that tasks link to.", "options": _OPTIONS}},
        "connection-types": [_connection_type(vendor) for vendor in _VENDORS],
    }
