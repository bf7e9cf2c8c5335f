"""The script that one writes by hand: requests, json, gzip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from dev.bench import batch
from dev.bench.measured import Export, write_json_lines, write_with_files


def read(export: Export) -> Iterator[Any]:
    query, more = export.first_page, True
    with requests.Session() as session:
        while more:
            response = session.get(export.url + export.path, params=query, timeout=60)
            response.raise_for_status()
            page = response.json()
            yield from page[export.rows]
            query |= {"page": query["page"] + 1} if export.numbered else {"page_token": page["next_page_token"]}
            more = bool(page[export.rows] if export.numbered else query["page_token"])


def read_results(export: Export) -> Iterator[tuple[str, Any, bytes]]:
    with requests.Session() as session:

        def get(path: str, **query: Any) -> Any:
            response = session.get(export.url + path, params=query, timeout=60)
            response.raise_for_status()
            return response.json()

        for result in get(export.path, expand="results")["results"]:
            parsed = get(f"{batch.JOBS}/{result['job_reference']['id']}", expand="markdown_full")
            content = parsed.pop("markdown_full").encode()
            yield result["source_directory_file_id"], parsed, content


def run(export: Export) -> None:
    if export.kind:
        write_with_files(export.folder, read_results(export))
        return
    write_json_lines(export.folder, read(export))
