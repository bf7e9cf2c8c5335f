"""The vendor's SDK, which pages by itself."""

from __future__ import annotations

from llama_cloud import LlamaCloud

from dev.bench.measured import PAGE_SIZE, Export, write_json_lines


def run(export: Export) -> None:
    with LlamaCloud(api_key="benchmark", base_url=export.url) as client:
        batches = client.batches.list(page_size=PAGE_SIZE)
        write_json_lines(export.folder, (batch.model_dump(mode="json") for batch in batches))
