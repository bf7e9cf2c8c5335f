"""The vendor's SDK, which pages by itself; results are read by its asynchronous client, as many at a time as may be."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_cloud import AsyncLlamaCloud, LlamaCloud

from dev.bench.measured import PAGE_SIZE, Export, write_json_lines, write_with_files


async def read_results(export: Export) -> list[tuple[str, Any, bytes]]:
    at_once = asyncio.Semaphore(export.connections)
    async with AsyncLlamaCloud(api_key="benchmark", base_url=export.url) as client:

        async def read(result: Any) -> tuple[str, Any, bytes]:
            async with at_once:
                parsed = await client.parsing.get(result.job_reference.id, expand=["markdown_full"])
            content = (parsed.markdown_full or "").encode()
            return result.source_directory_file_id, parsed.job.model_dump(mode="json"), content

        batch = await client.batches.get(export.path.rpartition("/")[2], expand=["results"])
        return await asyncio.gather(*map(read, batch.results or ()))


def run(export: Export) -> None:
    if export.kind:
        write_with_files(export.folder, asyncio.run(read_results(export)))
        return
    with LlamaCloud(api_key="benchmark", base_url=export.url) as client:
        batches = client.batches.list(page_size=PAGE_SIZE)
        write_json_lines(export.folder, (batch.model_dump(mode="json") for batch in batches))
