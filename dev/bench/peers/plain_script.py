"""The script that one writes by hand: requests, json, gzip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from dev.bench.measured import Export, write_json_lines


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


def run(export: Export) -> None:
    write_json_lines(export.folder, read(export))
