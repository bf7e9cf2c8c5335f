"""Asks hostile servers from a process of its own: takes their URLs line by line, and tells what became of each."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from airflow_batch_provider.client import session
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.vendors import llamacloud
from tests.unit.connected import make_client

LARGEST_BODY = 16 << 20
"""Stands in for the real one, so that a bomb need not be so large."""


def resident(what: str) -> int:
    """Return a size of this process in MiB."""
    found = re.search(rf"{what}:\s+([0-9]+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


def ask(url: str) -> None:
    """Ask once, and tell."""
    client = make_client(llamacloud.VENDOR, url, max_attempts=1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    try:
        page = client.send(llamacloud.BATCHES.request({}), llamacloud.BATCHES.page)
        told = f"{len(page.rows)} rows"
    except BatchProviderError as error:
        told = f"{type(error).__name__}: {error}"
    client.close()
    print(json.dumps({"told": told, "mebibytes": resident("VmHWM") - before}), flush=True)  # noqa: T201


if __name__ == "__main__":
    session.LARGEST_BODY = LARGEST_BODY
    for line in sys.stdin:
        ask(line.strip())
