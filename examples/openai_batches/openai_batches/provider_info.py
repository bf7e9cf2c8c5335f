"""Whose API it is, and what Airflow is told about the package. Nothing here imports Airflow."""

from typing import Any

from airflow_batch_provider import vendor_kit as kit

VENDOR = kit.Vendor(
    name="openai_batches",
    title="OpenAI batches",
    base_url="https://api.openai.com",
    pasted_paths=("/v1",),
    auth=kit.KeyHeader("Authorization", "Bearer "),
    key_hint="sk-..., from platform.openai.com/api-keys",
    docs_url="https://platform.openai.com/docs/guides/batch",
    hook="openai_batches.batches.OpenAIBatchesHook",
    kinds_by_code={"insufficient_quota": kit.ProblemKind.PAYMENT},
)


def get_provider_info() -> dict[str, Any]:
    """Return the metadata, in the form of Airflow's ``provider.yaml``."""
    return {
        "package-name": "openai-batches-airflow-provider",
        "name": VENDOR.title,
        "description": "Submit batches to OpenAI, wait for them, and export their results.",
        "versions": ["1.0.0"],
        "connection-types": [kit.connection_type(VENDOR)],
    }
