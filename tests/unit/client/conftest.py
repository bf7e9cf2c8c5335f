"""What tests of downloads share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_batch_provider.client.download import (
    Downloader,
)
from tests.unit.client.downloads import (
    Make,
    make_downloader,
)


@pytest.fixture
def make(pauses: list[float], no_proxies: pytest.MonkeyPatch) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(base_url: str, **settings: Any) -> Downloader:
            downloader = make_downloader(base_url, **settings)
            stack.callback(downloader.close)
            return downloader

        yield made


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch
