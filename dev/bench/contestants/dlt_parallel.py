"""dlt, made parallel by hand: each page is deferred to its pool of threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import dlt
from dlt.sources.helpers import requests

from dev.bench.contestants.dlt_pipeline import ids, run
from dev.bench.task import Task

__all__ = ["export", "ids"]


def export(task: Task) -> None:
    """Load one listing of numbered pages."""
    os.environ["EXTRACT__WORKERS"] = str(task.connections)
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(2 * task.connections)
    session = requests.Client().session

    @dlt.defer
    def page(number: int) -> Any:
        query = {"page": number, "pageSize": task.page_size}
        return session.get(task.base_url + task.path, params=query, timeout=60).json()["batchJobs"]

    @dlt.resource(name="jobs")
    def jobs() -> Iterator[Any]:
        for number in range(-(-task.jobs // task.page_size)):
            yield page(number + 1)

    run(task, jobs())
