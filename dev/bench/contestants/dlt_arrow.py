"""dlt, spared its normaliser: a resource of one's own that yields Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow as pa
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

from dev.bench.contestants.dlt_pipeline import ids, run
from dev.bench.task import Task

__all__ = ["export", "ids"]


def export(task: Task) -> None:
    """Load one listing."""
    paginator = JSONResponseCursorPaginator(cursor_path="next_page_token", cursor_param="page_token")
    client = RESTClient(base_url=f"{task.base_url}/", paginator=paginator, data_selector="items")

    @dlt.resource(name="jobs")
    def jobs() -> Iterator[Any]:
        for page in client.paginate(task.path.lstrip("/"), params={"page_size": task.page_size}):
            yield pa.Table.from_pylist(list(page))

    run(task, jobs())
