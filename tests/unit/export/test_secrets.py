"""What an export leaves beside its parts, logs and hands on holds neither the key nor anything of a row."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path

import pytest

from airflow_batch_provider.apis.auth import Credentials
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.listing.pages import read_pages
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.vendors import playment
from tests.unit.export.exported import TASK_RUN
from tests.vendor_server import Answer, Served, listing, serve

KEY = "sk-Zm9v+YmFy/QmF6=="
SECRETS = [KEY, "Signature=c2lnbmVk", "ada@example.org", "+1 555 0100"]
ROW = {"status": "done", "viewer_url": f"https://x.invalid/?{SECRETS[1]}", "tag": SECRETS[2], "new": SECRETS[3]}


@pytest.mark.parametrize("breaks_off", [False, True])
@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_only_parts_hold_what_rows_say_and_nothing_holds_the_key(
    file_format: str, breaks_off: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor = playment.VENDOR
    rows = [json.dumps({"id": number, **ROW, "frames": SECRETS[2]}) for number in range(12)]
    good = listing("playment.batch_jobs", Served(rows, cap=3))
    beside: dict[str, bytes] = {}

    def script(method: str, path: str, query: dict[str, str], headers: object) -> Answer:
        beside.update({file.name: file.read_bytes() for file in tmp_path.rglob("*.json")})
        if breaks_off and len(server.asked) == 4:
            return Answer(403, json.dumps({"error": {"code": "auth-failure", "message": f"bad {KEY}"}}).encode())
        return good(method, path, query, headers)  # type: ignore[arg-type]

    what = Format(file_format, columns=playment.BATCH_JOBS.columns)
    work = ExportSpec(
        show=harmless, listing=playment.BATCH_JOBS.name, params={}, file_format=what, rows_per_part=2, task_run=TASK_RUN
    )
    with serve(script) as server:
        settings = Settings(connection_id="c", base_url=server.url, auth=vendor.auth, credentials=Credentials(KEY))
        client = Client(vendor, settings)
        request = playment.BATCH_JOBS.request({"project_id": "p/1", "batch_id": "b 1"})
        reading = partial(read_pages, client, playment.BATCH_JOBS, request)
        try:
            told = json.dumps(export(reading, open_store(str(tmp_path)), work).summary("here"))
        except BatchProviderError as error:
            told = f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
        client.close()
    beside |= {file.name: file.read_bytes() for file in tmp_path.rglob("*.json")}
    assert any(name.endswith(".checkpoint.json") for name in beside)
    assert any(name == "_MANIFEST.json" for name in beside) is not breaks_off
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    for secret in SECRETS:
        assert secret not in told + logged
        assert not [name for name, content in beside.items() if secret.encode() in content]
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()
