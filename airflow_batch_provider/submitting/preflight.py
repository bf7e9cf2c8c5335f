"""Checks what would be submitted, such as for a person who approves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_batch_provider.apis.submissions import Submission

_KEY = "0" * 16
"""As long as a key is, since the vendor's limit of a name includes it."""


def inspect_contacts(
    contacts: Iterable[Mapping[str, Any]] | str | ObjectStoragePath,
    conn_id: str | None = None,
    *,
    max_attempts: int | None = None,
) -> dict[str, int]:
    """Check contacts as ``TalkifAIRunBatchJobOperator`` does, and return ``{"items": ..., "calls_at_most": ...}``.

    It sends no request, and returns no data of a contact.

    :param contacts: a list of dicts, or the path or URI of a CSV or JSONL file
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :param max_attempts: the most calls per contact; default: 3, like the vendor's
    :raises InvalidParameterError: contacts are invalid, duplicates or too many; the message has the rows, counted from
        1
    """
    from airflow_batch_provider.submitting.rows import Rows
    from airflow_batch_provider.vendors import talkifai
    from airflow_batch_provider.vendors.talkifai_submission import SUBMISSION

    rows = list(islice(Rows(contacts, conn_id, name="contacts"), talkifai.MOST_CONTACTS + 1))
    return _inspect(SUBMISSION, {"name": "", "max_attempts": max_attempts}, rows)


def inspect_files(
    files: Iterable[str | ObjectStoragePath] | str | ObjectStoragePath,
    conn_id: str | None = None,
    *,
    job_type: str = "parse_v2",
) -> dict[str, int]:
    """Check files as ``LlamaCloudRunBatchOperator`` does, and return ``{"items": ..., "bytes": ...}``.

    It reads each file once, and sends no request. LlamaCloud charges by page; pages are not counted.

    :param files: a list of paths, URIs or path objects, or one folder with its sub-folders
    :param conn_id: the id of the Airflow connection for URIs that contain none
    :param job_type: ``parse_v2`` or ``extract_v2``, which have different limits
    :raises InvalidParameterError: files are missing, empty, too large, duplicates or too many
    """
    from airflow_batch_provider.submitting.files import source_files
    from airflow_batch_provider.submitting.sources import is_path
    from airflow_batch_provider.vendors.llamacloud_directories import LARGEST_FILE, MOST_FILES
    from airflow_batch_provider.vendors.llamacloud_submission import BATCH

    sources: Any = files if is_path(files) else list(files)  # type: ignore[arg-type]
    found = sources and source_files(sources, conn_id, name="files", most=MOST_FILES, largest=LARGEST_FILE)
    return _inspect(BATCH, {"job_type": job_type}, found)


def inspect_jobs(
    jobs: Iterable[Mapping[str, Any]] | str | ObjectStoragePath,
    conn_id: str | None = None,
    *,
    work_flow_id: str | None = None,
) -> dict[str, int]:
    """Check jobs as ``PlaymentRunBatchOperator`` does, and return ``{"items": ...}``. It sends no request.

    :param jobs: a list of dicts, or the path or URI of a JSONL file
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :param work_flow_id: the id of the workflow for jobs without their own
    :raises InvalidParameterError: jobs are invalid, have equal ids or are too many; the message has the row, counted
        from 1
    """
    from airflow_batch_provider.submitting.rows import Rows
    from airflow_batch_provider.vendors.playment_submission import SUBMISSION

    return _inspect(SUBMISSION, {"name": "", "work_flow_id": work_flow_id}, Rows(jobs, conn_id, name="jobs"))


def _inspect(submission: Submission, values: Mapping[str, Any], items: Any) -> dict[str, int]:
    from airflow_batch_provider.submitting.piece_of_work import PieceOfWork
    from airflow_batch_provider.submitting.submit import inspect, work_of

    given = {name: value for name, value in values.items() if value is not None}
    found = inspect(submission, work_of(PieceOfWork(key=_KEY, description=""), given, items))
    return {"items": found.items, **{name: int(fact) for name, fact in found.facts.items()}}
