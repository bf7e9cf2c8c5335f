"""The vendor's own SDK, which pages by itself."""

from __future__ import annotations

from collections.abc import Iterable

from llama_cloud import LlamaCloud

from dev.bench.contestants.files import ids_of_json_lines, write_json_lines
from dev.bench.task import Task


def export(task: Task) -> None:
    """Read and write row by row."""
    with LlamaCloud(api_key="benchmark", base_url=task.base_url) as client:
        batches = client.batches.list(page_size=task.page_size)
        write_json_lines(task.folder, (batch.model_dump(mode="json") for batch in batches))


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    return ids_of_json_lines(task.folder)
