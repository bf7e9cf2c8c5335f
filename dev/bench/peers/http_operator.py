"""Airflow's HttpOperator with a pagination function, and what a task after it needs to write a file.

The operator keeps all answers in memory and pushes them to XCom; the text that XCom would store is made here too.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from airflow.providers.http.hooks import http as _http  # noqa: F401 - otherwise imported with the first request
from airflow.providers.http.operators.http import HttpOperator

from dev.bench.measured import Export, write_json_lines

logging.disable(logging.INFO)


def _next_page(response: Any) -> dict[str, Any] | None:
    page = response.json()
    if "next_page_token" in page:
        return {"data": {"page_token": page["next_page_token"]}} if page["next_page_token"] else None
    return {"data": {"page": page["page"] + 1}} if page["page"] * page["pageSize"] < page["total"] else None


def run(export: Export) -> None:
    # If the host contains a port, it needs the scheme too.
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": export.url})
    exported = HttpOperator(
        task_id="export",
        method="GET",
        endpoint=export.path,
        data=export.first_page,
        pagination_function=_next_page,
        response_filter=lambda responses: [row for response in responses for row in response.json()[export.rows]],
    ).execute({})
    json.dumps(exported)
    write_json_lines(export.folder, exported)
