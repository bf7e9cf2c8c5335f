"""dlt: the REST API source to the filesystem destination, as its documentation sets it up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.destinations import filesystem
from dlt.sources.rest_api import rest_api_source

from dev.bench.measured import Export

FILES = "exported/jobs/*"  # without the tables that dlt makes of nested rows
CURSOR: dict[str, Any] = {"type": "cursor", "cursor_path": "next_page_token", "cursor_param": "page_token"}
NUMBER: dict[str, Any] = {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None}


def run(export: Export) -> None:
    query = {name: value for name, value in export.first_page.items() if name != "page"}
    paginator = NUMBER if export.numbered else CURSOR
    endpoint = {"path": export.path.lstrip("/"), "params": query, "data_selector": export.rows, "paginator": paginator}
    resources = [{"name": "jobs", "endpoint": endpoint}]
    source = rest_api_source({"client": {"base_url": f"{export.url}/"}, "resources": resources})
    Path(export.folder).mkdir(parents=True)
    folders = {"pipelines_dir": f"{export.folder}-work", "dataset_name": "exported"}
    destination = filesystem(bucket_url=f"file://{export.folder}")
    pipeline = dlt.pipeline("export", destination=destination, **folders)
    pipeline.run(source, loader_file_format=export.file_format).raise_on_failed_jobs()
