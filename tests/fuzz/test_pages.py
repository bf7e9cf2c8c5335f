"""Whatever a vendor's page holds ends in rows that are right, in every format, or in an exception of ours.

``make test`` tries 100 pages of each listing, ``make fuzz`` 2,000.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis import request as api_request
from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.shown import Redactor, harmless
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.errors import ErrorMapping
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.stores.destination import open_store
from tests.fuzz.mutations import pages
from tests.fuzz.readings import (
    Number,
    csv_is_right,
    csv_rows,
    parquet_is_right,
    parquet_rows,
    parse,
    rows_in,
    token_in,
    typed,
)
from tests.listings import LISTINGS, VALUES
from tests.unit.formats.rows import encode
from tests.vendor_server import Answer, How, VendorServer, serve

EACH = pytest.mark.parametrize("name", LISTINGS)
FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
FUZZ_OVER_THE_WIRE = settings(FUZZ, max_examples=FUZZ.max_examples // 5)
KEY = "sk-Zm9v+YmFy/QmF6=="


def settings_for(listing: Listing, url: str = "http://127.0.0.1:9") -> Settings:
    vendor = listing.vendor
    return Settings(
        connection_id="c", base_url=url, auth=vendor.auth, credentials=Credentials(KEY), max_attempts=1, read_timeout=10
    )


def assert_ours(error: BaseException) -> None:
    """What a task would fail with says what to mend, in one short line."""
    assert isinstance(error, BatchProviderError)
    assert len(str(error).encode()) < 2_000
    assert "\n" not in str(error)


def id_of(row: dict[str, Any]) -> str | int:
    """Return an id; a number and the text of it are two."""
    return int(row["id"]) if isinstance(row["id"], Number) else str(row["id"])


def assert_right(listing: Listing, lines: list[bytes], rows: list[dict[str, Any]]) -> None:
    """Encode lines in each format and compare what is read back with the rows."""
    columns = listing.columns
    content = encode(Format("jsonl", None, columns), lines)
    assert [typed(parse(line)) for line in content.decode().split("\n")[:-1]] == [typed(row) for row in rows]
    for record, row in zip(csv_rows(encode(Format("csv", None, columns), lines)), rows, strict=True):
        csv_is_right(record, row, columns)
    for record, row in zip(parquet_rows(encode(Format("parquet", "zstd", columns), lines)), rows, strict=True):
        parquet_is_right(record, row, columns)


@EACH
@FUZZ
@given(data=st.data())
def test_a_page_is_read_right_or_refused(name: str, data: st.DataObject) -> None:
    listing = LISTINGS[name]
    body, is_good = data.draw(pages(name))
    page = listing.page(api_request.Answer(200, {}, body))
    if isinstance(page, Problem):
        event(f"refused: {page.kind.value}")
        assert not is_good
        assert_ours(
            ErrorMapping(listing.vendor, settings_for(listing), Redactor(["k"])).of_problem(
                page, api_request.Request("/x"), 200
            )
        )
        return
    event("as documented" if is_good else "bent, but read")
    rows = rows_in(name, body)
    assert isinstance(page, Page)
    assert [repr(row.id) for row in page.rows] == [repr(id_of(row)) for row in rows]
    assert [row.status for row in page.rows] == [
        row["status"] if type(row.get("status")) is str else "(none)" for row in rows
    ]
    token = token_in(name, body)
    assert (None if page.next_token is None else str(page.next_token)) == (None if token is None else str(token))
    assert_right(listing, [row.json for row in page.rows], rows)


@pytest.fixture(scope="module")
def server() -> Iterator[VendorServer]:
    with serve(lambda method, path, query, headers: pytest.fail("no script yet")) as running:
        yield running


@pytest.fixture(scope="module")
def clients(server: VendorServer) -> Iterator[dict[str, Client]]:
    with ExitStack() as stack:
        made = {name: Client(listing.vendor, settings_for(listing, server.url)) for name, listing in LISTINGS.items()}
        for client in made.values():
            stack.callback(client.close)
        yield made


def exported(folder: Path) -> list[bytes]:
    """Return the lines of an export as its manifest tells them."""
    manifest = json.loads((folder / "_MANIFEST.json").read_text())
    content = b"".join(gzip.decompress((folder / part["path"]).read_bytes()) for part in manifest["parts"])
    assert content.count(b"\n") == manifest["rows"] == sum(manifest["status_counts"].values())
    return content.split(b"\n")[:-1]


@EACH
@FUZZ_OVER_THE_WIRE
@given(data=st.data())
def test_an_export_over_the_wire_is_right_or_fails(
    name: str, data: st.DataObject, server: VendorServer, clients: dict[str, Client]
) -> None:
    listing = LISTINGS[name]
    body, is_good = data.draw(pages(name))
    how = data.draw(st.sampled_from([How.PLAIN, How.CHUNKED, How.GZIP]))
    empty = b'{"items":[],"batchJobs":[],"data":{"jobs":[],"batches":[]},"total":0}'

    def script(method: str, path: str, query: dict[str, str], headers: object) -> Answer:
        is_first = query.get("page", "1") == "1" and query.get("offset", "0") == "0" and "page_token" not in query
        return Answer(200, body if is_first else empty, how=how)

    server.restart(script)
    file_format = Format("jsonl", "gzip", listing.columns)
    work = ExportSpec(
        show=harmless, listing=name, params={}, file_format=file_format, rows_per_part=2, task_run=TaskRun()
    )
    reading = partial(read_pages, clients[name], listing, listing.request(VALUES), on_drift="warn")
    with TemporaryDirectory() as folder:
        try:
            export(reading, open_store(folder), work)
        except BatchProviderError as error:
            event(f"failed: {type(error).__name__}")
            assert not is_good
            assert_ours(error)
            assert not list(Path(folder).rglob("_MANIFEST.json"))
            return
        event("exported")
        rows = rows_in(name, body.removeprefix(b"\xef\xbb\xbf"))
        first = {repr(id_of(row)): typed(row) for row in reversed(rows)}
        in_order = dict.fromkeys(repr(id_of(row)) for row in rows)
        assert [typed(parse(line)) for line in exported(Path(folder))] == [first[identifier] for identifier in in_order]
