"""What the libraries under ours take by themselves: pages are fetched, split, encoded and written, nothing else.

Rows that come twice, a listing that breaks off, a body without an end, a row that is no object, a process that is
killed: none of that is noticed. It shows what a machine could give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import urllib3
from isal import isal_zlib

from dev.bench.contestants.files import ids_of_json_lines, ids_of_parquet
from dev.bench.task import Task

GZIP = 31
BYTES_PER_TABLE = 1 << 20
TABLES_PER_ROW_GROUP = 16


class Page(msgspec.Struct):
    """A page of LlamaCloud's batches."""

    items: list[msgspec.Raw]
    next_page_token: str | None = None


def pages(task: Task) -> Iterator[bytes]:
    """Give the rows of each page, as lines of JSON."""
    decoder = msgspec.json.Decoder(Page)
    with urllib3.PoolManager() as pool:
        token: str | None = ""
        while token is not None:
            query = f"page_size={task.page_size}" + (f"&page_token={token}" if token else "")
            page = decoder.decode(pool.request("GET", f"{task.base_url}{task.path}?{query}").data)
            yield b"\n".join([*page.items, b""])
            token = page.next_page_token


def export(task: Task) -> None:
    """Write a file."""
    Path(task.folder).mkdir(parents=True)
    (_write_json_lines if task.file_format == "jsonl" else _write_parquet)(task)


def _write_json_lines(task: Task) -> None:
    compressor = isal_zlib.compressobj(1, wbits=GZIP)
    with Path(task.folder, "rows.jsonl.gz").open("wb") as file:
        for lines in pages(task):
            file.write(compressor.compress(lines))
        file.write(compressor.flush())


def _write_parquet(task: Task) -> None:
    tables = _tables(task)
    first = next(tables)
    with pq.ParquetWriter(
        Path(task.folder, "rows.parquet"), first.schema, compression="zstd", compression_level=1, use_dictionary=False
    ) as writer:
        waiting = [first]
        for table in tables:
            waiting.append(table)
            if len(waiting) == TABLES_PER_ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def _tables(task: Task) -> Iterator[pa.Table]:
    options, waiting = None, list[bytes]()
    for lines in chain(pages(task), [b""]):
        waiting.append(lines)
        if lines and sum(map(len, waiting)) < BYTES_PER_TABLE:
            continue
        rows = b"".join(waiting)
        waiting.clear()
        if rows:
            block = pyarrow.json.ReadOptions(use_threads=False, block_size=len(rows) + 1)
            table = pyarrow.json.read_json(pa.BufferReader(rows), block, options)
            options = options or pyarrow.json.ParseOptions(explicit_schema=table.schema)
            yield table


def ids(task: Task) -> Iterable[str]:
    """See the package."""
    return (ids_of_json_lines if task.file_format == "jsonl" else ids_of_parquet)(task.folder)
