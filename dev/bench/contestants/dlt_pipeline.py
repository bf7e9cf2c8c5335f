"""dlt: the REST API source to the filesystem destination, as its documentation sets it up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
import orjson
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source

from dev.bench.contestants.files import ids_of_parquet
from dev.bench.task import Task


def run(task: Task, source: Any) -> None:
    """Run a pipeline whose working folder lies beside what it exports."""
    Path(task.folder).mkdir(parents=True)
    pipeline = dlt.pipeline(
        "export",
        pipelines_dir=f"{task.folder}-work",
        destination=filesystem(bucket_url=f"file://{task.folder}"),
        dataset_name="exported",
    )
    pipeline.run(source, loader_file_format=task.file_format).raise_on_failed_jobs()


def export(task: Task) -> None:
    """Load one listing."""
    by_number = task.listing == "talkifai.batch_jobs"
    by_cursor = {"type": "cursor", "cursor_path": "next_page_token", "cursor_param": "page_token"}
    number = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}
    endpoint = {
        "path": task.path.lstrip("/"),
        "params": {"pageSize" if by_number else "page_size": task.page_size},
        "data_selector": "batchJobs" if by_number else "items",
        "paginator": number if by_number else by_cursor,
    }
    resources = [{"name": "jobs", "endpoint": endpoint}]
    run(task, rest_api_source({"client": {"base_url": f"{task.base_url}/"}, "resources": resources}))


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    table = f"{task.folder}/exported/jobs"
    return ids_of_parquet(table) if task.file_format == "parquet" else _ids_of_lines(table)


def _ids_of_lines(table: str) -> Iterator[str]:
    import gzip

    for path in sorted(Path(table).glob("*.jsonl*")):
        content = path.read_bytes()
        lines = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        yield from (orjson.loads(line)["id"] for line in lines.splitlines())
