"""Asks a hostile server from a process of its own, and tells what became of it: ``python -m ... URL SETTINGS``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from airflow_batch_provider.apis import llamacloud
from airflow_batch_provider.exceptions import BatchProviderError
from tests.unit.client.conftest import make_client


def peak() -> int:
    """Return the largest resident size since the mark was last reset, in MiB."""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


def main(url: str, settings: str) -> None:
    client = make_client(llamacloud.VENDOR, url, max_attempts=1, **json.loads(settings))
    Path("/proc/self/clear_refs").write_text("5")  # resets the mark
    before = peak()
    try:
        page = client.get(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
        told = f"{len(page.rows)} rows"
    except BatchProviderError as error:
        told = f"{type(error).__name__}: {error}"
    print(json.dumps({"told": told, "mebibytes": peak() - before}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
