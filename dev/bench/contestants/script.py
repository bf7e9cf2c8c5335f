"""The script that one writes by hand: requests, json, gzip."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import requests

from dev.bench.contestants.files import ids_of_json_lines, write_json_lines
from dev.bench.task import Task


def first_query(task: Task) -> dict[str, Any]:
    """Return the parameters of the first request."""
    if task.listing == "talkifai.batch_jobs":
        return {"page": 1, "pageSize": task.page_size}
    if task.listing == "llamacloud.batch_processing_jobs":
        return {"limit": task.page_size, "offset": 0}
    return {"page_size": task.page_size}


def read(task: Task, loads: Any) -> Iterator[Any]:
    """Give row after row."""
    query = first_query(task)
    with requests.Session() as session:
        while True:
            response = session.get(task.base_url + task.path, params=query, timeout=60)
            response.raise_for_status()
            page = loads(response.content)
            rows = page["batchJobs"] if "batchJobs" in page else page["items"]
            yield from rows
            if "offset" in query:
                query["offset"] += len(rows)
                over = not rows
            elif "page" in query:
                query["page"] += 1
                over = not rows
            else:
                query["page_token"] = page["next_page_token"]
                over = not query["page_token"]
            if over:
                return


def export(task: Task) -> None:
    """Read and write row by row."""
    write_json_lines(task.folder, read(task, json.loads))


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    return ids_of_json_lines(task.folder)
