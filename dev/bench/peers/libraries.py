"""The libraries under ours alone: pages are fetched, split, encoded and compressed, nothing else.

Repeated rows, a listing that breaks off, a body without an end, a row that is no object, a process that is killed: it
notices none of them. It shows what a machine could give.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import urllib3
from isal import isal_zlib

from dev.bench.measured import PAGE_SIZE, Export

GZIP = 31
PARQUET: dict[str, Any] = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
BYTES_PER_ROW_GROUP = 16 << 20


class Page(msgspec.Struct):
    """A page of LlamaCloud's batches."""

    items: list[msgspec.Raw]
    next_page_token: str | None = None


def pages(export: Export) -> Iterator[bytes]:
    decoder, query = msgspec.json.Decoder(Page), f"page_size={PAGE_SIZE}"
    with urllib3.PoolManager() as pool:
        while query:
            page = decoder.decode(pool.request("GET", f"{export.url}{export.path}?{query}").data)
            yield b"\n".join([*page.items, b""])
            query = f"page_size={PAGE_SIZE}&page_token={page.next_page_token}" if page.next_page_token else ""


def run(export: Export) -> None:
    Path(export.folder).mkdir(parents=True)
    if export.file_format == "parquet":
        write_parquet(Path(export.folder, "rows.parquet"), pages(export))
        return
    compressor = isal_zlib.compressobj(1, wbits=GZIP)
    with Path(export.folder, "rows.jsonl.gz").open("wb") as file:
        file.writelines(map(compressor.compress, pages(export)))
        file.write(compressor.flush())


def write_parquet(path: Path, pages: Iterator[bytes]) -> None:
    writer, rows = None, bytearray()
    for lines in chain(pages, [b""]):
        rows += lines
        if rows and (not lines or len(rows) >= BYTES_PER_ROW_GROUP):
            whole = pyarrow.json.ReadOptions(use_threads=False, block_size=len(rows) + 1)
            table = pyarrow.json.read_json(pa.BufferReader(bytes(rows)), whole)
            rows.clear()
            writer = writer or pq.ParquetWriter(path, table.schema, **PARQUET)
            writer.write_table(table)
    if writer:
        writer.close()
