"""Measures one export in a process of its own.

    <python of the peer's environment> -m dev.bench.measured <module of the peer>

reads the exports to make from standard input and writes the figures to standard output. It uses the standard library
only, because it runs in every environment.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout, suppress
from hashlib import file_digest, sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

PAGE_SIZE = 100
GZIP_LEVEL = 6  # the usual one; Python's default is 9, which takes twice the time for 2 % less


class Export(NamedTuple):
    """An export to make."""

    url: str  # where the listing's path begins
    listing: str
    path: str
    jobs: int
    folder: str  # where to export to; it does not exist
    file_format: str
    connections: int  # how many may be open
    kind: str = ""  # of the files beside the rows; none if empty

    @property
    def numbered(self) -> bool:
        """Whether pages have numbers, not cursors."""
        return self.listing == "talkifai.batch_jobs"

    @property
    def first_page(self) -> dict[str, Any]:
        """The query of the first page."""
        return {"page": 1, "pageSize": PAGE_SIZE} if self.numbered else {"page_size": PAGE_SIZE}

    @property
    def rows(self) -> str:
        """The key of a page's rows."""
        return "batchJobs" if self.numbered else "items"


class Figures(NamedTuple):
    """What one export took."""

    wall: float  # seconds
    cpu: float  # seconds of user and system time of the process, with its threads and children
    memory: int  # bytes by which it grew, at its peak, over what it had after imports and a small export
    rows: int  # that were exported
    digest: str  # of all their ids


def write_json_lines(folder: str, rows: Iterable[Any]) -> None:
    """Write rows as one compressed file of JSON lines, for peers that write none."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with gzip.open(Path(folder, "rows.jsonl.gz"), "wt", compresslevel=GZIP_LEVEL) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_with_files(folder: str, results: Iterable[tuple[str, Any, bytes]]) -> None:
    """Write results as :func:`write_json_lines` does, and a file beside it for each, for peers that write none.

    :param results: the id of each row, what else it contains, and the content of its file
    """
    beside = Path(folder, "files")
    beside.mkdir(parents=True)

    def rows() -> Iterator[Any]:
        for identifier, result, content in results:
            (beside / f"{identifier}.md").write_bytes(content)
            yield {"id": identifier, "result": result, "files": [{"path": f"files/{identifier}.md"}]}

    write_json_lines(folder, rows())


def exported_ids(folder: str, files: str) -> Iterator[str]:
    for path in sorted(Path(folder).glob(files)):
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            yield from pq.ParquetFile(path).read(columns=["id"])["id"].to_pylist()
        elif ".jsonl" in path.name:
            compressed = path.read_bytes()[:2] == b"\x1f\x8b"
            with gzip.open(path) if compressed else path.open("rb") as lines:
                yield from (_id_of(folder, json.loads(line)) for line in lines)


def _id_of(folder: str, row: Any) -> str:
    """Return the id of a row; if it has a file, with the digest of that."""
    if not row.get("files"):
        return str(row["id"])
    with Path(folder, row["files"][0]["path"]).open("rb") as file:
        return f"{row['id']} {file_digest(file, 'sha256').hexdigest()}"


def digest_of(ids: Iterable[str]) -> tuple[int, str]:
    """Return how many ids there are, and a digest of them in any order."""
    ordered = sorted(ids)
    return len(ordered), sha256("\n".join(ordered).encode()).hexdigest()


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(peer: Any, warm_up: Export, export: Export) -> Figures:
    """Make a small export, then one under measurement."""
    peer.run(warm_up)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    base, cpu, began = _memory("VmRSS"), _cpu(), time.perf_counter()
    peer.run(export)
    wall, cpu, memory = time.perf_counter() - began, _cpu() - cpu, max(0, _memory("VmHWM") - base)
    return Figures(wall, cpu, memory, *digest_of(exported_ids(export.folder, getattr(peer, "FILES", "*"))))


def main() -> None:
    warm_up, export = (Export(*each) for each in json.load(sys.stdin))
    output = os.fdopen(os.dup(1), "w")
    with redirect_stdout(sys.stderr):
        try:
            answer: Any = measure(import_module(f"dev.bench.peers.{sys.argv[1]}"), warm_up, export)
        except Exception as error:  # noqa: BLE001 - the report shows it
            traceback.print_exc()
            answer = f"{type(error).__name__}: {error}"
    json.dump(answer, output)
    output.close()
    os._exit(0)  # without the threads and exit handlers that Airflow and dlt leave


if __name__ == "__main__":
    main()
