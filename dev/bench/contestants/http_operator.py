"""Airflow's HttpOperator with a pagination function, and what a task after it needs to write a file.

The operator holds all answers at once and gives them to XCom; the text that XCom would hold is made here too.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from typing import Any

from airflow.providers.http.hooks import http as _http  # noqa: F401 - otherwise imported with the first request
from airflow.providers.http.operators.http import HttpOperator

from dev.bench.contestants.files import ids_of_json_lines, write_json_lines
from dev.bench.task import Task

logging.disable(logging.INFO)


def _next_cursor(response: Any) -> dict[str, Any] | None:
    token = response.json()["next_page_token"]
    return {"data": {"page_token": token}} if token else None


def _next_number(response: Any) -> dict[str, Any] | None:
    page = response.json()
    if page["page"] * page["pageSize"] >= page["total"]:
        return None
    return {"data": {"page": page["page"] + 1}}


def export(task: Task) -> None:
    """Read with the operator, then write."""
    # The scheme stands in the host where the port is part of it.
    os.environ["AIRFLOW_CONN_HTTP_DEFAULT"] = json.dumps({"conn_type": "http", "host": task.base_url})
    by_number = task.listing == "talkifai.batch_jobs"
    size: dict[str, Any] = {"page": 1, "pageSize": task.page_size} if by_number else {"page_size": task.page_size}
    rows = "batchJobs" if by_number else "items"
    exported = HttpOperator(
        task_id="export",
        method="GET",
        endpoint=task.path,
        data=size,
        pagination_function=_next_number if by_number else _next_cursor,
        response_filter=lambda responses: [row for response in responses for row in response.json()[rows]],
    ).execute({})
    json.dumps(exported)
    write_json_lines(task.folder, exported)


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    return ids_of_json_lines(task.folder)
