"""What to submit again: of each vendor what its items were submitted as, and nothing that must not be."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from airflow_batch_provider import libraries
from airflow_batch_provider.apis.page import Row, Rows
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.shown import harmless
from airflow_batch_provider.exceptions import DestinationError, ExportDamagedError, InvalidParameterError
from airflow_batch_provider.export import failed_items
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.vendors import (
    RESULTS,
    llamacloud_results,
    playment_results,
    talkifai,
    talkifai_results,
)
from tests.unit.export.exported import TASK_RUN, export, manifest_of
from tests.unit.export.results_of import RESULTS as INVENTED

TALKIFAI, LLAMACLOUD, PLAYMENT = (
    talkifai_results.CONVERSATIONS,
    llamacloud_results.RESULTS,
    playment_results.JOB_RESULTS,
)
EACH_FORMAT = pytest.mark.parametrize("file_format", FORMATS)


def row(number: int, outcome: str, item: Any, result: Any = None) -> dict[str, Any]:
    known = {"id": str(number), "status": "done", "outcome": outcome, "error": None if outcome == "ok" else "x"}
    return {**known, "item": item, "result": result, "files": []}


def export_rows(
    folder: Path,
    listing: str,
    rows: list[dict[str, Any]],
    file_format: str = "jsonl",
    columns: Any = None,
    is_finished: bool = True,
    **params: Any,
) -> str:
    spec = ExportSpec(
        show=harmless,
        listing=listing,
        params=params,
        file_format=Format(file_format, columns=columns or RESULTS[listing].columns),
        rows_per_part=2,
        task_run=TASK_RUN,
    )
    read = [Row(row["id"], row["status"], json.dumps(row).encode()) for row in rows]
    doubt = None if is_finished else "was read before the batch was finished"
    export([NewRows(Rows.of(read), 0, None, doubt=doubt)], open_store(str(folder)), spec)
    return str(folder)


def error_of(destination: str, **options: Any) -> str:
    with pytest.raises(InvalidParameterError) as raised:
        failed_items(destination, **options)
    return str(raised.value)


def contact(status: str, number: Any = "+4900123", **fields: Any) -> dict[str, Any]:
    return {"id": "c", "phoneNumber": number, "status": status, "attemptCount": 3, **fields}


SUBMITTED = {"Phone": "+49 00123", "name": "Ä", "id": 2**60 + 1, "zip": "01067", "af_row": "7", "tags": [{"x": None}]}


@EACH_FORMAT
def test_a_contact_comes_back_as_the_row_that_was_submitted(file_format: str, tmp_path: Path) -> None:
    rows = [
        row(1, "ok", contact("completed", contactData=SUBMITTED), {"transcript": "sesame"}),
        row(2, "missing", contact("no_answer", contactData=SUBMITTED)),
        row(3, "failed", contact("failed", "+4900456")),
        row(4, "failed", contact("FAILED", "+4900789", contactData=None)),
    ]
    assert failed_items(export_rows(tmp_path, TALKIFAI.name, rows, file_format)) == [
        {"phone": "+4900123", "name": "Ä", "id": 2**60 + 1, "zip": "01067", "tags": [{"x": None}]},
        {"phone": "+4900456"},
        {"phone": "+4900789"},
    ]


AGAIN = {"pending", "queued", "no_answer", "busy", "timeout", "failed", "carrier_error"}


@pytest.mark.parametrize("status", [*talkifai.CONTACT_STATUSES, "on_hold", "", None])
def test_nobody_is_called_again_who_was_reached_or_must_not_be_called(status: Any, tmp_path: Path) -> None:
    destination = export_rows(tmp_path, TALKIFAI.name, [row(1, "failed", contact(status))])
    assert failed_items(destination) == ([{"phone": "+4900123"}] if status in AGAIN else [])


def test_how_many_are_left_out_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [row(number, "failed", contact("blocked")) for number in range(3)]
    with caplog.at_level(logging.INFO, "airflow_batch_provider.export.failed_items"):
        assert failed_items(export_rows(tmp_path, TALKIFAI.name, rows)) == []
    assert f"Items of {tmp_path.as_uri()} that are not to be submitted again: 3" in caplog.messages


@EACH_FORMAT
@pytest.mark.parametrize("number", [None, "", "0" * 64, 5])
def test_contacts_without_their_number_are_an_error(number: Any, file_format: str, tmp_path: Path) -> None:
    rows = [row(1, "failed", contact("busy")), row(2, "failed", contact("busy", number, contactData=SUBMITTED))]
    destination = export_rows(tmp_path, TALKIFAI.name, rows, file_format)
    assert error_of(destination) == (
        f"Of the export at {tmp_path.as_uri()}, 1 items cannot be submitted again (its phoneNumber was left out of the "
        "export, or hashed: 2)."
    )


def test_contact_data_that_is_no_object_is_an_error_without_what_it_is(tmp_path: Path) -> None:
    said = error_of(export_rows(tmp_path, TALKIFAI.name, [row(1, "failed", contact("busy", contactData="sesame"))]))
    assert "its contactData is no object: 1" in said
    assert "sesame" not in said


def entry(number: int, file: Any) -> dict[str, Any]:
    return {"source_directory_file_id": str(number), "error_message": None, "directory_file": file}


def file_of(source: str) -> dict[str, Any]:
    return {"id": "dfl-1", "unique_id": "0-ab", "metadata": {"submit_key": "k", "sha256": "ab", "source": source}}


@EACH_FORMAT
def test_a_file_comes_back_as_the_source_that_it_was_submitted_from(file_format: str, tmp_path: Path) -> None:
    sources = ["s3://aws_default@raw/docs/ä b%20#?.pdf", "file:///data/a.pdf"]
    rows = [
        row(1, "ok", entry(1, file_of("file:///data/ok.pdf")), {"job": {"id": "j"}}),
        row(2, "failed", entry(2, file_of(sources[0]))),
        row(3, "missing", entry(3, file_of(sources[1]))),
    ]
    assert failed_items(export_rows(tmp_path, LLAMACLOUD.name, rows, file_format)) == sources


@EACH_FORMAT
def test_files_whose_source_is_not_known_are_named_with_the_reason(file_format: str, tmp_path: Path) -> None:
    nobody = {"id": "dfl-1", "metadata": {"mine": 1}}
    rows = [
        row(1, "failed", entry(1, None)),
        row(2, "failed", entry(2, nobody)),
        row(3, "failed", entry(3, {**nobody, "metadata": None})),
        row(4, "failed", entry(4, file_of("file:///data/a.pdf"))),
    ]
    assert error_of(export_rows(tmp_path, LLAMACLOUD.name, rows, file_format)) == (
        f"Of the export at {tmp_path.as_uri()}, 3 items cannot be submitted again (its directory is gone, and with it "
        "the source of the file: 1; its metadata has no source, which only files of a Run operator have: 2, 3)."
    )


def test_of_many_items_only_some_are_named(tmp_path: Path) -> None:
    rows = [row(number, "failed", entry(number, None)) for number in range(9)]
    assert "source of the file: 0, 1, 2, 3, 4 and 4 more)." in error_of(export_rows(tmp_path, LLAMACLOUD.name, rows))


def test_items_of_the_v1_beta_have_no_source(tmp_path: Path) -> None:
    listing = llamacloud_results.PROCESSING_JOB_RESULTS.name
    item = {"item_id": "1", "item_name": "a.pdf", "status": "failed"}
    assert failed_items(export_rows(tmp_path / "ok", listing, [row(1, "ok", item)])) == []
    said = error_of(export_rows(tmp_path / "failed", listing, [row(1, "failed", item)]))
    assert "the vendor lists no metadata of items (v1 beta), so the source of the file is not known: 1" in said


@EACH_FORMAT
def test_a_job_comes_back_as_its_reference_id(file_format: str, tmp_path: Path) -> None:
    jobs = [{"id": str(number), "reference_id": f"r{number}", "status": "failed"} for number in range(3)]
    rows = [row(number, "failed", job) for number, job in enumerate(jobs)]
    assert failed_items(export_rows(tmp_path / "a", PLAYMENT.name, rows, file_format)) == ["r0", "r1", "r2"]
    destination = export_rows(tmp_path / "b", PLAYMENT.name, [row(1, "failed", {"id": "1"})], file_format)
    assert "it has no reference_id: 1" in error_of(destination)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), []),
        (("failed",), ["failed"]),
        ("partial", ["partial"]),
        (["skipped", "missing"], ["missing", "skipped"]),
        (("ok", "ok"), ["ok"]),
    ],
)
def test_the_outcomes_decide(outcomes: Any, expected: list[str], tmp_path: Path) -> None:
    all_of_them = ("ok", "partial", "failed", "missing", "skipped")
    rows = [row(number, outcome, {"reference_id": outcome}) for number, outcome in enumerate(all_of_them)]
    assert failed_items(export_rows(tmp_path, PLAYMENT.name, rows), outcomes=outcomes) == expected


@pytest.mark.parametrize("outcomes", ["Failed", ["ok", "broken"], [None]])
def test_an_outcome_that_there_is_not_is_refused(outcomes: Any, tmp_path: Path) -> None:
    said = error_of(export_rows(tmp_path, PLAYMENT.name, []), outcomes=outcomes)
    assert "is not allowed; allowed is one of 'ok', 'partial', 'failed', 'missing', 'skipped'" in said


@EACH_FORMAT
def test_an_empty_export_gives_nothing(file_format: str, tmp_path: Path) -> None:
    assert failed_items(export_rows(tmp_path, TALKIFAI.name, [], file_format)) == []


def test_missing_items_of_a_batch_that_may_go_on_are_not_submitted_twice(tmp_path: Path) -> None:
    rows = [row(1, "missing", {"reference_id": "a"}), row(2, "failed", {"reference_id": "b"})]
    destination = export_rows(tmp_path, PLAYMENT.name, rows, unfinished="export", is_finished=False)
    assert "export it again when it is finished, or pass outcomes=('failed',)" in error_of(destination)
    assert failed_items(destination, outcomes=("failed",)) == ["b"]


def test_missing_items_of_a_finished_batch_are_submitted_again(tmp_path: Path) -> None:
    rows = [row(1, "missing", {"reference_id": "a"})]
    destination = export_rows(tmp_path, PLAYMENT.name, rows, unfinished="export", is_finished=True)
    assert failed_items(destination) == ["a"]


@pytest.mark.parametrize("listing", ["talkifai.contacts", "talkifai.batch_jobs", "acme.transcripts"])
def test_an_export_of_something_else_is_refused(listing: str, tmp_path: Path) -> None:
    destination = export_rows(tmp_path, listing, [row(1, "failed", {})], columns=TALKIFAI.columns)
    for options in ({}, {"results": TALKIFAI}):
        assert f"is of {listing}, but failed_items needs an export of results" in error_of(destination, **options)


def test_a_vendor_that_does_not_say_how_is_named(tmp_path: Path) -> None:
    destination = export_rows(tmp_path, INVENTED.name, [], columns=INVENTED.columns)
    said = error_of(destination, results=INVENTED)
    assert said == f"Items of {INVENTED.name} cannot be submitted again: its declaration has no function again."


@EACH_FORMAT
def test_a_vendor_of_another_package_says_what_to_submit_again(file_format: str, tmp_path: Path) -> None:
    known: Results = replace(INVENTED, again=lambda row: row["item"]["text"] or None)
    rows = [row(1, "failed", {"id": "1", "text": "a"}), row(2, "failed", {"id": "2", "text": ""})]
    destination = export_rows(tmp_path, known.name, rows, file_format, columns=known.columns)
    assert failed_items(destination, results=known) == ["a"]


def test_each_results_of_this_package_says_what_to_submit_again() -> None:
    assert [results.name for results in RESULTS.values() if results.again is None] == []


def test_json_lines_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(1, "failed", {"reference_id": "a"})]
    jsonl, parquet = (export_rows(tmp_path / name, PLAYMENT.name, rows, name) for name in ("jsonl", "parquet"))
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)
    assert failed_items(jsonl) == ["a"]
    assert "needs pyarrow; install it with" in error_of(parquet)


@EACH_FORMAT
def test_damage_is_found_before_anything_is_given(file_format: str, tmp_path: Path) -> None:
    rows = [row(number, "failed", {"reference_id": str(number)}) for number in range(5)]
    destination = export_rows(tmp_path, PLAYMENT.name, rows, file_format)
    part = tmp_path / manifest_of(tmp_path)["parts"][2]["path"]
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(ExportDamagedError, match="was changed"):
        failed_items(destination)


def test_where_no_export_is_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExportDamagedError, match="so no export"):
        failed_items(str(tmp_path))
    with pytest.raises(DestinationError):
        failed_items("relative/path")
