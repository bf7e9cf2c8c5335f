"""What a submission would cost, for people who decide about it before it is made."""

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

    Nothing is sent, and nothing of a contact is returned.

    :param contacts: a list of rows, or a path or URI of a CSV or JSONL file of them
    :param conn_id: the Airflow connection for a URI that names none
    :param max_attempts: how often a contact is called at most; 3 if left out, as at the vendor
    :raises InvalidParameterError: contacts are wrong, twice there or too many; names the rows, from 1
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

    Each file is read once, and nothing is sent. LlamaCloud charges by page, which nobody can count here.

    :param files: paths, URIs and path objects, or one folder of files
    :param conn_id: the Airflow connection for URIs that name none
    :param job_type: ``parse_v2`` or ``extract_v2``, whose files must be smaller
    :raises InvalidParameterError: files are missing, empty, too large, named twice or too many
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
    """Check jobs as ``PlaymentRunBatchOperator`` does, and return ``{"items": ...}``. Nothing is sent.

    :param jobs: a list of rows, or a path or URI of a JSONL file of them
    :param conn_id: the Airflow connection for a URI that names none
    :param work_flow_id: the workflow of all jobs that name none
    :raises InvalidParameterError: jobs are wrong, have equal ids or are too many; names the row, from 1
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
