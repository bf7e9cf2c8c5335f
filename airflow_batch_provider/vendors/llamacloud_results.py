"""LlamaCloud: what the files of a v2 batch, and the items of a batch processing job (v1 beta), became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from airflow_batch_provider.apis.batch_state import Outcome, outcome_of
from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.columns import JSON, TEXT, TIMESTAMP, columns, result_columns, struct
from airflow_batch_provider.apis.endpoint import Found
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Identifier, Parameter
from airflow_batch_provider.apis.plans import (
    FileKind,
    Plan,
    Refused,
    SavedFile,
    ask,
    ask_all,
    fetch,
    find,
    gather,
    keep,
    locate,
    need,
    until_complete,
)
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.raw_json import raw_at, raw_elements, raw_fields, raw_object, read_json
from airflow_batch_provider.apis.results import (
    Batch,
    Item,
    ItemOutcome,
    Results,
    Unrepeatable,
    collected,
    without_result,
)
from airflow_batch_provider.vendors.llamacloud import (
    BATCH,
    BATCH_FILES,
    BATCH_KIND,
    BATCH_OUTCOMES,
    BATCH_PROCESSING_ITEMS,
    BATCH_PROCESSING_JOB,
    BATCH_PROCESSING_JOB_KIND,
    DIRECTORY_FILES,
    EXTRACT_JOB,
    EXTRACT_JOBS,
    ORGANIZATION,
    PARSE_JOBS,
    PARSING_RESULT,
    PROCESSING_RESULTS,
    PROJECT,
    VENDOR,
)
from airflow_batch_provider.vendors.llamacloud_parse import (
    ITEMS,
    KINDS,
    MARKDOWN,
    PDF,
    TEXT_FILE,
    XLSX,
    is_completed,
    lack_of_job,
    read_parse_job,
    status_of,
    without_content,
)


def _begin_v2(values: Mapping[str, Any]) -> Plan[Batch | Problem]:
    batch = (yield from need(BATCH, expand="results")).document
    state = BATCH_KIND.state(batch)
    results = batch.get("results")
    if state.outcome.is_terminal and not isinstance(results, list):
        why = f"batch {state.id} has ended as {state.status}, but the vendor lists no results of it"
        return Problem(ProblemKind.REFUSED, why)
    directory_id = str(batch.get("source_directory_id") or "")
    files = yield from gather(DIRECTORY_FILES, directory_id=directory_id, include_deleted=True)
    expected = len(
        {str(result.get("source_directory_file_id")) for result in results or () if isinstance(result, dict)}
    )
    return Batch(state=state, expected=None if results is None else expected, facts=files)


def _prepare_v2(batch: Batch, rows: Sequence[Row]) -> Plan[dict[str, Row]]:
    """Ask for the jobs of many files in one request for each type."""
    ids: dict[str, list[str]] = {}
    for reference in filter(None, map(_reference, rows)):
        ids.setdefault(reference[0], []).append(reference[1])
    jobs: dict[str, Row] = {}
    for listing, options, job_type in (
        (PARSE_JOBS, {}, "parse"),
        (EXTRACT_JOBS, {"expand": ["extract_metadata", "usage"]}, "extract"),
    ):
        if wanted := ids.get(job_type):
            found = yield from ask_all(listing, job_ids=wanted, **options)
            if not isinstance(found, Refused):
                jobs.update((str(job.id), job) for job in found if str(job.id) in wanted)
    return jobs


def _reference(row: Row) -> tuple[str, str] | None:
    """Return the type and the id of a file's job: ``parse_v2`` and ``parse`` are the same."""
    reference = read_json(row.json).get("job_reference")
    if not isinstance(reference, dict) or not reference.get("id"):
        return None
    return str(reference.get("type") or "").partition("_")[0].casefold(), str(reference["id"])


def _read_file(batch: Batch, row: Row, jobs: dict[str, Row]) -> Plan[Item]:
    item = yield from _read_job(batch, row, jobs)
    file = None if isinstance(batch.facts, Refused) else (yield from find(batch.facts, str(row.id)))
    found = file.json if isinstance(file, Row) else b"null"  # a directory may be gone before its batch
    return msgspec.structs.replace(item, row=raw_object({**raw_fields(row.json), "directory_file": found}))


def _read_job(batch: Batch, row: Row, jobs: dict[str, Row]) -> Plan[Item]:
    reference = _reference(row)
    if reference is None:
        error = read_json(row.json).get("error_message")
        if error:
            return Item(outcome=ItemOutcome.FAILED, error=str(error))
        return Item(outcome=ItemOutcome.MISSING, error="the vendor names neither a job of the file nor an error")
    job_type, job_id = reference
    if job_type not in ("parse", "extract"):
        return Item(outcome=ItemOutcome.PARTIAL, error=f"results of jobs of type {job_type!r} are not known here")
    known = jobs.get(job_id)
    if known is not None and outcome_of(known.status, BATCH_OUTCOMES) in (Outcome.FAILED, Outcome.CANCELLED):
        return without_content(read_json(known.json), known.json)
    if job_type == "parse" and known is not None and is_completed(known.status) and not batch.kinds:
        return Item(outcome=ItemOutcome.OK, status=known.status, result=raw_object({"job": known.json}))
    if job_type == "parse":
        return (yield from read_parse_job(batch, job_id))
    return (yield from _read_extract(batch, job_id, known))


def _read_extract(batch: Batch, job_id: str, known: Row | None) -> Plan[Item]:
    if known is not None and is_completed(known.status) and read_json(known.json).get("extract_result") is not None:
        return Item(outcome=ItemOutcome.OK, status=known.status, result=known.json)
    found = yield from until_complete(
        partial(ask, EXTRACT_JOB, job_id=job_id, expand=["extract_metadata", "usage"]),
        lack_of_job,
        batch.state.updated_at,
    )
    if isinstance(found, Refused):
        return without_result(found)
    status = status_of(found.document)
    if not is_completed(status):
        return without_content(found.document, found.json)
    if found.document.get("extract_result") is None:
        error = "the job is completed, but has no extract_result"
        return Item(outcome=ItemOutcome.MISSING, error=error, status=status, result=found.json)
    return Item(outcome=ItemOutcome.OK, status=status, result=found.json)


_RESULT = struct(
    job=struct(
        id=TEXT,
        project_id=TEXT,
        status=TEXT,
        error_message=TEXT,
        name=TEXT,
        tier=TEXT,
        created_at=TIMESTAMP,
        updated_at=TIMESTAMP,
        usage=JSON,
        user_metadata=JSON,
    ),
    id=TEXT,
    file_input=TEXT,
    project_id=TEXT,
    status=TEXT,
    created_at=TIMESTAMP,
    updated_at=TIMESTAMP,
    configuration_id=TEXT,
    error_message=TEXT,
    extract_result=JSON,
    extract_metadata=JSON,
    metadata=JSON,
    usage=JSON,
    result_content_metadata=JSON,
    images_content_metadata=JSON,
)
"""A parse job is nested in its answer, an extract job is not."""

_ENTRY = columns(
    source_directory_file_id=TEXT,
    error_message=TEXT,
    job_reference=struct(id=TEXT, type=TEXT),
    directory_file=struct(
        id=TEXT,
        directory_id=TEXT,
        display_name=TEXT,
        project_id=TEXT,
        unique_id=TEXT,
        file_id=TEXT,
        metadata=JSON,
        created_at=TIMESTAMP,
        updated_at=TIMESTAMP,
        deleted_at=TIMESTAMP,
        download_url=JSON,
    ),
)


def _submit_again(row: Mapping[str, Any]) -> str | Unrepeatable:
    """Return where a file was submitted from, which Run operators keep in the metadata of each upload."""
    item = row.get("item")
    file = item.get("directory_file") if isinstance(item, dict) else None
    if not isinstance(file, dict):
        return Unrepeatable("its directory is gone, and with it the source of the file")
    metadata = file.get("metadata")
    source = metadata.get("source") if isinstance(metadata, dict) else None
    if not isinstance(source, str) or not source:
        return Unrepeatable("its metadata has no source, which only files of a Run operator have")
    return source


def _cannot_submit_again(row: Mapping[str, Any]) -> Unrepeatable:
    return Unrepeatable("the vendor lists no metadata of items (v1 beta), so the source of the file is not known")


RESULTS = Results(
    vendor=VENDOR,
    name="llamacloud.batch_results",
    batch="batch_id",
    parameters=(Parameter("batch_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    items=BATCH_FILES,
    kinds=KINDS,
    usual=("markdown",),
    begin=_begin_v2,
    prepare=_prepare_v2,
    item=_read_file,
    columns=result_columns(_ENTRY, _RESULT),
    again=_submit_again,
)


def _begin_v1(values: Mapping[str, Any]) -> Plan[Batch | Problem]:
    job = (yield from need(BATCH_PROCESSING_JOB)).document["job"]
    return Batch(
        state=BATCH_PROCESSING_JOB_KIND.state(job),
        expected=count_of(job.get("total_items")),
        facts=_ContentPath(_job_type(job)),
    )


def _job_type(of: Mapping[str, Any]) -> str:
    """Return a job's type in lower case, as it is on the wire; the vendor's description prints upper case."""
    return str(of.get("job_type") or "").casefold()


class _ContentPath:
    """Which of the two APIs has the content of the items, found out by the first of them that has any.

    :param job_type: the type of the batch's jobs
    """

    def __init__(self, job_type: str) -> None:
        self.job_type = job_type
        self.is_v2: bool | None = None
        self.in_vain = 0

    @property
    def is_unknown(self) -> bool:
        """Whether neither had the content of the items tried so far."""
        return self.is_v2 is None and self.in_vain >= _MOST_TRIED


_MOST_TRIED = 5
"""Items whose content neither API has, after which only references are exported."""

_V1_KINDS = (MARKDOWN, TEXT_FILE, ITEMS, XLSX, PDF)
_V1_RESULTS = {"markdown": "markdown", "text": "text", "items": "json", "xlsx": "xlsx", "pdf": "pdf"}


def _read_item(batch: Batch, row: Row, _: None) -> Plan[Item]:
    item = read_json(row.json)
    status = row.status.casefold()
    if status == "failed":
        return Item(outcome=ItemOutcome.FAILED, error=str(item.get("error_message") or "the vendor names no reason"))
    if status == "cancelled":
        return Item(outcome=ItemOutcome.SKIPPED, error="it was cancelled")
    if status not in ("completed", "skipped"):
        return Item(outcome=ItemOutcome.MISSING, error=f"it is not completed: its status is {row.status!r}")
    found = yield from ask(PROCESSING_RESULTS, item_id=row.id)
    result = None if isinstance(found, Refused) else _latest(found, item, batch.facts.job_type)
    if status == "skipped":
        reason = str(item.get("skip_reason") or "the vendor names no reason")
        return Item(outcome=ItemOutcome.SKIPPED, error=reason, result=result)
    problems = [found.reason] if isinstance(found, Refused) else []
    if not batch.kinds or batch.facts.job_type not in ("parse", ""):
        return collected([], problems, result=result)
    if not item.get("job_id"):
        return collected([], [*problems, "the vendor names no job of the item, so its content cannot be asked for"])
    files = yield from _read_content(batch, str(item["job_id"]))
    return collected(files, problems, result=result)


def _latest(found: Found, item: Mapping[str, Any], job_type: str) -> bytes | None:
    """Return the latest result of an item within this job: the vendor lists those of all its jobs."""
    if not isinstance(found.document.get("processing_results"), list):
        return None
    listed = raw_elements(raw_at(found.json, "processing_results") or b"[]")
    begun, ended = _moment(item.get("started_at")), _moment(item.get("completed_at"))
    best: tuple[bool, datetime, bytes] | None = None
    for raw in listed:
        result = read_json(raw)
        if not isinstance(result, dict) or (job_type and _job_type(result) not in ("", job_type)):
            continue
        moment = _moment(result.get("processed_at")) or _FIRST
        is_within = (begun is None or moment >= begun) and (ended is None or moment <= ended)
        if best is None or (is_within, moment) > best[:2]:
            best = is_within, moment, raw
    return best[2] if best else None


_FIRST = datetime.min.replace(tzinfo=UTC)


def _moment(text: object) -> datetime | None:
    try:
        return read_moment(text, Clock.ISO)
    except (TypeError, ValueError, OverflowError):
        return None


def _read_content(batch: Batch, job_id: str) -> Plan[list[SavedFile | Refused]]:
    path: _ContentPath = batch.facts
    if path.is_unknown:
        return [Refused("neither API has the content of these items, so only their references are exported")]
    for is_v2 in (False, True) if path.is_v2 is None else (path.is_v2,):
        files = yield from (_read_v2_content if is_v2 else _read_v1_content)(batch, job_id)
        if any(isinstance(file, SavedFile) for file in files):
            path.is_v2 = is_v2
            return files
    path.in_vain += 1
    return files


def _read_v2_content(batch: Batch, job_id: str) -> Plan[list[SavedFile | Refused]]:
    item = yield from read_parse_job(batch, job_id)
    return [*item.files, *([Refused(item.error)] if item.error else [])]


def _read_v1_content(batch: Batch, job_id: str) -> Plan[list[SavedFile | Refused]]:
    files: list[SavedFile | Refused] = []
    for kind in _V1_KINDS:
        if kind.name in batch.kinds:
            files.append((yield from _save_v1(kind, job_id)))
    return files


def _save_v1(kind: FileKind, job_id: str) -> Plan[SavedFile | Refused]:
    result_type, name = _V1_RESULTS[kind.name], f"{job_id}.{kind.extension}"
    if kind in (XLSX, PDF):
        return (yield from fetch(kind, name, partial(locate, PARSING_RESULT, job_id=job_id, result_type=result_type)))
    found = yield from ask(PARSING_RESULT, job_id=job_id, result_type=result_type)
    if isinstance(found, Refused):
        return found
    if kind is ITEMS:
        return (yield from keep(kind, name, found.json))
    text = found.document.get(result_type)
    if not isinstance(text, str):
        return Refused(f"the job has produced no {kind.name} file", is_missing=True)
    return (yield from keep(kind, name, text.encode("utf-8", "surrogatepass")))


PROCESSING_JOB_RESULTS = Results(
    vendor=VENDOR,
    name="llamacloud.batch_processing_results",
    batch="job_id",
    parameters=(Parameter("job_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    items=BATCH_PROCESSING_ITEMS,
    kinds=_V1_KINDS,
    usual=("markdown",),
    begin=_begin_v1,
    item=_read_item,
    columns=result_columns(
        BATCH_PROCESSING_ITEMS.columns,
        struct(
            result_id=TEXT,
            item_id=TEXT,
            job_type=TEXT,
            job_config=JSON,
            parameters_hash=TEXT,
            output_s3_path=TEXT,
            output_metadata=JSON,
            processed_at=TIMESTAMP,
        ),
    ),
    again=_cannot_submit_again,
)
