"""Whose API it is, and what Airflow is told about the package. Nothing here imports Airflow."""

from typing import Any

from airflow_batch_provider import vendor_kit as kit

VENDOR = kit.Vendor(
    name="anthropic_batches",
    title="Anthropic batches",
    base_url="https://api.anthropic.com",
    pasted_paths=("/v1",),
    auth=kit.KeyHeader("x-api-key"),
    headers={"anthropic-version": "2026-10-21"},
    key_hint="sk-ant-..., from console.anthropic.com",
    docs_url="https://docs.claude.com/en/docs/build-with-claude/batch-processing",
    hook="anthropic_batches.batches.AnthropicBatchesHook",
    read_error=lambda body: (body["error"]["message"], body["error"]["type"]),
    kinds_by_code={"billing_error": kit.ProblemKind.PAYMENT},
)


def get_provider_info() -> dict[str, Any]:
    """Return the metadata, in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "anthropic-batches-airflow-provider",
        "name": VENDOR.title,
        "description": "Submit message batches to Anthropic, wait for them, and export their results.",
        "versions": ["1.0.0"],
        "connection-types": [kit.connection_type(VENDOR)],
    }
