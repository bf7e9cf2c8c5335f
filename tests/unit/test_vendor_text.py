"""What a vendor says leaves the package by few exits; through each, hostile text is harmless and no secret passes."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from airflow.jobs.triggerer_job_runner import messages
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.sdk.bases.sensor import AirflowRescheduleException
from airflow.sdk.execution_time.comms import SetXCom, _RequestFrame
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.triggers.base import TriggerEvent

import airflow_batch_provider
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchProcessingJobsOperator,
    LlamaCloudExportBatchProcessingResultsOperator,
)
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.testing import no_backoff
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger, BatchStatusTrigger
from tests.airflow_versions import AIRFLOW
from tests.unit.sensors.cases import CASES, TaskInstance, _Store
from tests.unit.waiting.fake_vendor import (
    PROCESSING_JOB,
    FakeVendor,
    event_of,
    said,
    serving,
    trigger,
)
from tests.vendor_server import Answer

KEY = "the-secret-key"  # of tests.unit.waiting.fake_vendor.connected
HOSTILE: dict[str, str] = {
    "a lone surrogate": "cannot read \ud83d",
    "NUL": "a\x00b",
    "control characters": "\x1b[31m\r\n\x7f\u202e",
    "5 MB": "x" * 5_000_000,
    "the key": f"key {KEY}",
    "the key in base64": base64.b64encode(f"x:{KEY}".encode()).decode(),
    "the key over two lines": f"{KEY[:5]}\n{KEY[5:]}",
    "the key percent-encoded twice": "".join(f"%25{byte:02x}" for byte in KEY.encode()),
}
LARGEST = 100_000
"""Bytes of what leaves: an event is a row of Airflow's database."""

Left = Iterator[Any]


def _sensor_error(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": "failed", "error_message": text, "updated_at": text}
    with pytest.raises(AirflowFailException) as failure:
        CASES["LlamaCloudBatchProcessingJobSensor"].make().execute({})
    yield str(failure.value)


def _sensor_result(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.finish("a", error_message=text, updated_at=text, total_items=2**70, processed_items=text)
    yield CASES["LlamaCloudBatchProcessingJobSensor"].make().execute({})


def _what_a_reschedule_keeps(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": text, "updated_at": text}
    store, ti = _Store(), TaskInstance()
    with pytest.raises(AirflowRescheduleException):
        CASES["LlamaCloudBatchProcessingJobSensor"].make(mode="reschedule").execute(
            {"ti": ti, "task_state_store": store}
        )
    yield dict(store)
    yield ti.xcoms


def _what_a_deferral_stores(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": text, "updated_at": text}
    with pytest.raises(TaskDeferred) as deferred:
        CASES["LlamaCloudBatchProcessingJobSensor"].make(deferrable=True).execute({})
    yield deferred.value.trigger.serialize()[1]


def _event_of_a_failure(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": "failed", "error_message": text, "updated_at": text, "total_items": 2**64}
    yield asyncio.run(event_of(trigger("a", PROCESSING_JOB)))


def _event_of_a_timeout(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": text}
    yield asyncio.run(event_of(trigger("a", PROCESSING_JOB, end_time=1.0, timeout=1.0)))


def _event_of_a_refusal(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.fault = lambda path, query: said(400, text)
    yield asyncio.run(event_of(trigger("a", PROCESSING_JOB)))


def _event_about_another_batch(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"id": text}
    yield asyncio.run(event_of(trigger("a", PROCESSING_JOB)))


def _event_of_a_watcher(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.finish("a", id=text)
    vendor.add("b")
    vendor.finish("b", updated_at=text)
    watcher = BatchFinishedEventTrigger(kind=PROCESSING_JOB, connection_id="llamacloud_default")

    async def poll() -> list[tuple[str, dict[str, Any]]]:
        return await anext(BatchFinishedEventTrigger.open_shared_stream(watcher.serialize()[1]))

    yield [state for _, state in asyncio.run(poll())]


def _exception_of_a_hook(text: str, vendor: FakeVendor, folder: Path) -> Left:
    for status in (400, 401, 404, 422, 429, 500):
        body = {"detail": text, "code": text, "message": text}
        vendor.fault = lambda path, query, status=status, body=body: Answer(status, json.dumps(body).encode())
        with no_backoff(), pytest.raises(BatchProviderError) as failure:
            list(LlamaCloudHook().iter_batch_processing_jobs())
        yield str(failure.value)
        yield failure.value.code


def _exception_of_a_page(text: str, vendor: FakeVendor, folder: Path) -> Left:
    for page in ({"items": text}, {"items": [{"id": "a"}], "next_page_token": text}, {text: []}, {"success": text}):
        vendor.fault = lambda path, query, page=page: Answer(body=json.dumps(page).encode())
        try:
            list(LlamaCloudHook().iter_batch_processing_jobs())
        except BatchProviderError as error:
            yield str(error)
        yield ""


def _exception_of_a_redirect(text: str, vendor: FakeVendor, folder: Path) -> Left:
    location = f"http://elsewhere.example/{quote(text[:1000], errors='replace')}"
    vendor.fault = lambda path, query: Answer(302, b"", {"Location": location})
    with pytest.raises(BatchProviderError) as failure:
        list(LlamaCloudHook().iter_batch_processing_jobs())
    yield str(failure.value)


def _connection_test(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.fault = lambda path, query: said(403, text)
    yield list(LlamaCloudHook().test_connection())


def _summary_of_an_export(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": text}
    vendor.add(*map(str, range(5)))
    events = OutletEventAccessors()
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1, xcom_push=lambda **kwargs: None)
    task = LlamaCloudExportBatchProcessingJobsOperator(task_id="t", destination=folder.as_uri(), rows_per_part=2)
    yield task.execute({"ti": ti, "outlet_events": events})  # type: ignore[typeddict-item]
    ((announced,),) = [accessor.asset_alias_events for accessor in events.values()]
    yield announced.extra
    yield json.loads((folder / "_MANIFEST.json").read_bytes())


def _summary_of_an_export_of_results(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.finish("a", total_items=2, job_type=text)
    items = [{"item_id": "i", "status": text}, {"item_id": "k", "status": "failed", "error_message": text}]

    def page(path: str, query: Mapping[str, str]) -> Answer | None:
        listed = items[int(query.get("offset", "0")) :]
        body = json.dumps({"items": listed, "total_size": 2}).encode()
        return Answer(body=body) if path.endswith("/items") else None

    vendor.fault = page
    task = LlamaCloudExportBatchProcessingResultsOperator(task_id="t", destination=folder.as_uri(), job_id="a")
    yield task.execute({})
    yield json.loads((folder / "_MANIFEST.json").read_bytes())


def _exception_of_a_batch_that_is_not_finished(text: str, vendor: FakeVendor, folder: Path) -> Left:
    vendor.batches["a"] |= {"status": text}
    task = LlamaCloudExportBatchProcessingResultsOperator(task_id="t", destination=folder.as_uri(), job_id="a")
    with pytest.raises(BatchProviderError) as failure:
        task.execute({})
    yield str(failure.value)


def _summary_of_an_export_of_an_earlier_release(text: str, vendor: FakeVendor, folder: Path) -> Left:
    LlamaCloudExportBatchProcessingJobsOperator(task_id="t", destination=folder.as_uri()).execute({})
    manifest = json.loads((folder / "_MANIFEST.json").read_bytes())
    manifest["status_counts"] = {text.replace(KEY, ""): 1}
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest))
    task = LlamaCloudExportBatchProcessingJobsOperator(task_id="t", destination=folder.as_uri(), if_exists="skip")
    counts = task.execute({})["status_counts"]
    yield counts if "key" not in text and "eDp" not in text and "%25" not in text else {}  # it knew no key


EXITS: dict[str, Callable[[str, FakeVendor], Left]] = {
    "an exception of a sensor": _sensor_error,
    "the result of a sensor": _sensor_result,
    "what a poke keeps for the next": _what_a_reschedule_keeps,
    "what a deferral stores": _what_a_deferral_stores,
    "the event of a failure": _event_of_a_failure,
    "the event of a timeout": _event_of_a_timeout,
    "the event of a refusal": _event_of_a_refusal,
    "the event of an answer about another batch": _event_about_another_batch,
    "the events of a watcher": _event_of_a_watcher,
    "an exception of a hook": _exception_of_a_hook,
    "an exception of a page": _exception_of_a_page,
    "an exception of a redirect": _exception_of_a_redirect,
    "the test of a connection": _connection_test,
    "summary, asset event and manifest of an export": _summary_of_an_export,
    "summary and manifest of an export of results": _summary_of_an_export_of_results,
    "an exception about a batch that is not finished": _exception_of_a_batch_that_is_not_finished,
    "the summary of an export of an earlier release": _summary_of_an_export_of_an_earlier_release,
}


def assert_harmless(left: Any) -> None:
    """Check that something can be sent, stored and shown as Airflow does it."""
    event = TriggerEvent(left)  # type: ignore[no-untyped-call]
    entry: Any = (1, event) if AIRFLOW < (3, 3) else (1, event, None)
    sent = messages.TriggerStateChanges(events=[entry])
    _RequestFrame(id=1, body=sent.model_dump()).as_bytes()
    xcom = SetXCom(key="k", value=left, dag_id="d", run_id="r", task_id="t", map_index=-1)
    _RequestFrame(id=1, body=xcom.model_dump()).as_bytes()
    stored = json.dumps(left, ensure_ascii=False).encode("utf-8")
    assert "\\u0000" not in json.dumps(left)
    assert len(stored) < LARGEST
    _assert_clean(stored.decode())


def _assert_clean(text: str) -> None:
    assert KEY not in text
    assert base64.b64encode(f"x:{KEY}".encode()).decode()[4:-4] not in text
    assert "%25" not in text
    assert not any(ord(character) < 32 and character != "\n" for character in text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("way", EXITS)
def test_hostile_text_is_harmless_where_it_leaves(
    way: str, text: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for waiter in (BatchSensor, BatchStatusTrigger):
        monkeypatch.setattr(waiter, "log", logging.getLogger("task"))
    with serving(PROCESSING_JOB, "a") as vendor, caplog.at_level(logging.INFO):
        left = list(EXITS[way](text, vendor, tmp_path / "export"))
    assert left
    for one in left:
        assert_harmless(one)
    for record in caplog.records:
        assert len(record.getMessage()) < LARGEST
        _assert_clean(record.getMessage())


RAW = {"Answer", "BatchState", "Copy", "Page", "Problem", "Row", "Rows"}
"""What carries a vendor's text as it came."""

HANDLERS = {
    "client.client": "hands it to the readers of answers, and to client.errors",
    "client.errors": "shows it in exceptions",
    "client.session": "makes answers",
    "export.export": "writes rows",
    "export.journal": "writes rows",
    "export.parts": "writes rows",
    "export.stats": "shows it as counts",
    "listing.gathered": "keeps rows for plans",
    "listing.lines": "yields rows, and hands what is wrong with a file to client.errors",
    "listing.pages": "yields rows",
    "listing.passes": "counts rows",
    "listing.plans": "passes rows on to plans, and shows what was refused as the errors of rows",
    "listing.prefetch": "passes pages on",
    "listing.results": "yields rows, and shows why a batch is refused in exceptions",
    "submitting.submit": "shows ids in exceptions and logs; the runner takes no id of a batch that is not harmless",
    "waiting.forgiving": "repairs answers",
    "waiting.reader": "shows it as states",
}
"""The modules that may touch it, and what they do; each way out has its case in EXITS.

The declarations may too, and the checks of a vendor's contract, whose samples are its author's."""


def test_raw_text_is_touched_by_these_modules_alone() -> None:
    package = Path(airflow_batch_provider.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        if name.split(".")[0] in {"apis", "vendors", "sandbox", "testing", "vendor_kit"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_batch_provider.apis"):
                found |= {name for alias in node.names if alias.name in RAW}
    assert found == set(HANDLERS)
