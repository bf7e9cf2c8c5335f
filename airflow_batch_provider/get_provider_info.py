"""What Airflow reads about this package, without importing anything else of it but the table of extras."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider import __version__
from airflow_batch_provider.connections import EXTRAS, Extra

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


def _connection_field(extra: Extra) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [extra.type, "null"]}
    if extra.choices:
        schema["enum"] = list(extra.choices)
    if extra.minimum is not None:
        schema["minimum"] = extra.minimum
    if extra.maximum is not None:
        schema["maximum"] = extra.maximum
    if extra.type == "boolean":
        schema["default"] = True
    return {"label": extra.label, "description": extra.description, "schema": schema}


def _connection_type(vendor: str) -> dict[str, Any]:
    title, hook, _, base_url, key = _VENDORS[vendor]
    return {
        "connection-type": vendor,
        "hook-class-name": f"{_PACKAGE}.hooks.{vendor}.{hook}",
        "hook-name": title,
        "ui-field-behaviour": {
            "hidden-fields": ["login", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL", "schema": "Scheme"},
            "placeholders": {
                "password": key,
                "host": f"{base_url} (if empty)",
                "schema": "https (if the base URL names none)",
                "port": "443 (if the base URL names none)",
            },
        },
        "conn-fields": {name: _connection_field(extra) for name, extra in EXTRAS[vendor].items()},
    }


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
