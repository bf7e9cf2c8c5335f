"""JSON lines as a file to upload: written while they are read, the same each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from airflow_batch_provider.apis.json_lines import json_lines

ROWS = [{"id": number, "text": "ä" * number**2 * 10, "exact": 2**70 + number} for number in range(50)]


def test_a_part_has_a_line_for_each_row_and_knows_its_size() -> None:
    part = json_lines("file", lambda: ROWS, filename="rows.jsonl")
    assert part.open
    content = part.open().read()
    assert len(content) == part.size
    assert [json.loads(line) for line in content.splitlines()] == ROWS
    assert (part.name, part.filename, part.content_type) == ("file", "rows.jsonl", "application/jsonl")


def test_every_attempt_reads_the_rows_again_a_little_at_a_time() -> None:
    read: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(10_000):
            read.append(number)
            yield {"id": number}

    part = json_lines("file", rows, filename="rows.jsonl")
    assert part.open
    first = part.open()
    read.clear()
    assert first.read(20) == b'{"id": 0}\n{"id": 1}\n'
    assert len(read) < 10_000
    assert part.open().read(10) == b'{"id": 0}\n'


def test_without_rows_there_is_nothing_to_read() -> None:
    part = json_lines("file", list, filename="rows.jsonl")
    assert part.open
    assert (part.open().read(), part.size) == (b"", 0)
