"""The plugin that adds the page "Batches" to Airflow's UI.

Airflow's entry point ``airflow.plugins`` leads here, and not the provider's metadata: plugins in those are loaded only
if ``[core] lazy_discover_providers`` is switched off. Workers and DAG processors load plugins too, so nothing of a web
server is imported before the API server asks for it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

URL_PREFIX = "/batch-provider"
ROUTE = "batches"


class BatchesPlugin(AirflowPlugin):
    """Adds the page "Batches": what is waited for, what was exported, and what failed.

    The page is static. It reads Airflow's REST API in the browser, with the rights of the user who looks at it.
    """

    name = "batch_provider"

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The entry in Airflow's menu. The address is relative, so that it holds below any ``[api] base_url``."""
        return [
            {
                "name": "Batches",
                "href": f"{URL_PREFIX.lstrip('/')}/index.html",
                "destination": "nav",
                "category": "browse",
                "url_route": ROUTE,
            }
        ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The files of the page."""
        from airflow_batch_provider.plugin.files import PageFiles

        return [{"name": "Batches", "app": PageFiles(), "url_prefix": URL_PREFIX}]
