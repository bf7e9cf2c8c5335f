"""LlamaCloud: exports, and batches and jobs that are run and cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.cancel import CancelBatchOperator
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.finished import FinishedBatchesOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.stores.role import source_role
from airflow_batch_provider.vendors import (
    llamacloud,
    llamacloud_directories,
    llamacloud_results,
    llamacloud_submission,
)

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class _LlamaCloudExportOperator(ListingExportOperator):
    hook_class = LlamaCloudHook

    def __init__(
        self,
        *,
        status: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.status = status
        self.project_id = project_id
        self.organization_id = organization_id
        self.llamacloud_conn_id = llamacloud_conn_id


class LlamaCloudExportBatchesOperator(_LlamaCloudExportOperator):
    """Exports LlamaCloud batches (v2).

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param status: only those in this state: ``PENDING``, ``THROTTLED``, ``RUNNING``, ``COMPLETED``, ``FAILED`` or
        ``CANCELLED``
    :param source_directory_id: only those of this directory
    :param created_at_on_or_after: only those created then or later; a datetime or ISO 8601, UTC if it says nothing
    :param created_at_on_or_before: only those created then or earlier
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param page_size: rows per request, 1 to 100 (default)
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    listing = llamacloud.BATCHES
    template_fields = (
        *ListingExportOperator.template_fields,
        "status",
        "source_directory_id",
        "created_at_on_or_after",
        "created_at_on_or_before",
        "project_id",
        "organization_id",
        "page_size",
        "llamacloud_conn_id",
    )

    def __init__(
        self,
        *,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | str | None = None,
        created_at_on_or_before: datetime | str | None = None,
        page_size: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_directory_id = source_directory_id
        self.created_at_on_or_after = created_at_on_or_after
        self.created_at_on_or_before = created_at_on_or_before
        self.page_size = page_size


class LlamaCloudExportBatchProcessingJobsOperator(_LlamaCloudExportOperator):
    """Exports LlamaCloud batch processing jobs (v1 beta).

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param directory_id: only those of this directory
    :param job_type: only ``parse``, ``extract`` or ``classify``
    :param status: only those in this state: ``pending``, ``running``, ``dispatched``, ``completed``, ``failed`` or
        ``cancelled``
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param limit: rows per request, 1 to 1000 (default); not a limit of the whole
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    listing = llamacloud.BATCH_PROCESSING_JOBS
    template_fields = (
        *ListingExportOperator.template_fields,
        "directory_id",
        "job_type",
        "status",
        "project_id",
        "organization_id",
        "limit",
        "llamacloud_conn_id",
    )

    def __init__(
        self,
        *,
        directory_id: str | None = None,
        job_type: str | None = None,
        limit: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.directory_id = directory_id
        self.job_type = job_type
        self.limit = limit


class _LlamaCloudResultsOperator(ResultsExportOperator):
    hook_class = LlamaCloudHook

    def __init__(
        self,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.organization_id = organization_id
        self.llamacloud_conn_id = llamacloud_conn_id


class LlamaCloudExportBatchResultsOperator(_LlamaCloudResultsOperator):
    """Exports what the files of a LlamaCloud batch (v2) became: a row for each file, the parsed documents as files.

    ``item`` is the vendor's entry for the file, with the file in its directory (name, ``unique_id``, metadata) added as
    ``directory_file``; null if the directory is gone. ``result`` is the parse or extract job. An extract job has
    ``extract_result`` in it; of a parse job, what became a file is left out. Failed pages show where ``markdown`` or
    ``items`` are fetched: no other content says which pages failed. The vendor deletes results some time after
    they were made, so export them in the run that waited for the batch.

    Takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator` too.

    :param batch_id: the batch
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param files: of ``markdown`` (default), ``text``, ``items``, ``metadata``, ``forms``, ``images``, ``xlsx`` and
        ``pdf``; a parse job has produced those that its configuration asks for, an extract job has none
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    results = llamacloud_results.RESULTS
    batch_kind = llamacloud.BATCH_KIND
    template_fields = (
        *ResultsExportOperator.template_fields,
        "batch_id",
        "project_id",
        "organization_id",
        "llamacloud_conn_id",
    )

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id


class LlamaCloudExportBatchProcessingResultsOperator(_LlamaCloudResultsOperator):
    """Exports what the items of a LlamaCloud batch processing job (v1 beta) became: a row for each item.

    ``result`` is the latest processing result of the item in this job. It names a place in the vendor's own storage;
    the content comes from the API of parse jobs, that of v1 or that of v2, whichever has it. Where neither has, rows
    are ``partial`` and have the references only. Jobs of other types have no content to fetch.

    Takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator` too.

    :param job_id: the batch processing job
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param files: of ``markdown`` (default), ``text``, ``items``, ``xlsx`` and ``pdf``
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    results = llamacloud_results.PROCESSING_JOB_RESULTS
    batch_kind = llamacloud.BATCH_PROCESSING_JOB_KIND
    template_fields = (
        *ResultsExportOperator.template_fields,
        "job_id",
        "project_id",
        "organization_id",
        "llamacloud_conn_id",
    )

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id


class _LlamaCloudRunOperator(RunBatchOperator):
    hook_class = LlamaCloudHook
    places = (source_role("files"),)

    def __init__(
        self,
        *,
        files: Iterable[str | ObjectStoragePath] | str | ObjectStoragePath | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        files_conn_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.files = files
        self.project_id = project_id
        self.organization_id = organization_id
        self.files_conn_id = files_conn_id
        self.llamacloud_conn_id = llamacloud_conn_id

    def items(self) -> Any:
        """Return the files, each read once to know its size and digest."""
        from airflow_batch_provider.submitting.files import source_files
        from airflow_batch_provider.submitting.sources import is_path

        if self.files is None:
            return None
        files: Any = self.files if is_path(self.files) else list(self.files)  # type: ignore[arg-type]
        if not files:
            return []
        most, largest = llamacloud_directories.MOST_FILES, llamacloud_directories.LARGEST_FILE
        return source_files(files, self.files_conn_id, name="files", most=most, largest=largest)


class LlamaCloudRunBatchOperator(_LlamaCloudRunOperator):
    """Has LlamaCloud parse files, or extract from them: uploads them, creates a batch (v2) and waits for it.

    The files go to a directory of their own, whose name is the key of the piece of work; the directory expires by
    itself. A batch begins to run when it is created. Takes the parameters of
    :class:`~airflow_batch_provider.operators.run.RunBatchOperator` too.

    :param job_type: ``parse_v2`` or ``extract_v2``
    :param configuration_id: the saved configuration, or a preset of the vendor's such as ``cfg-PARSE_AGENTIC``
    :param files: what to process: paths, URIs and path objects, or one folder of files; at most 1,000, each of at most
        512 MB (100 MB to extract from)
    :param source_directory_id: instead of files, a directory that is there. A directory is no key: of several batches
        of it in one run of the DAG, it cannot be known which is whose.
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param files_conn_id: the Airflow connection for URIs of ``files`` that name none
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    submission = llamacloud_submission.BATCH
    template_fields = (
        *RunBatchOperator.template_fields,
        "job_type",
        "configuration_id",
        "files",
        "source_directory_id",
        "project_id",
        "organization_id",
        "files_conn_id",
        "llamacloud_conn_id",
    )

    def __init__(
        self, *, job_type: str, configuration_id: str, source_directory_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.job_type = job_type
        self.configuration_id = configuration_id
        self.source_directory_id = source_directory_id


class LlamaCloudRunBatchProcessingJobOperator(_LlamaCloudRunOperator):
    """Has LlamaCloud process files by a batch processing job (v1 beta), and waits until it is completed.

    As for batches (v2), the files go to a directory of their own. Takes the parameters of
    :class:`~airflow_batch_provider.operators.run.RunBatchOperator` too.

    :param job_config: what to do, as the vendor takes it:
        ``{"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse"}}``
    :param files: what to process: paths, URIs and path objects, or one folder of files; at most 1,000, each of at most
        512 MB
    :param directory_id: instead of files, a directory that is there; as for batches, it is no key
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param files_conn_id: the Airflow connection for URIs of ``files`` that name none
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    submission = llamacloud_submission.BATCH_PROCESSING_JOB
    template_fields = (
        *RunBatchOperator.template_fields,
        "job_config",
        "files",
        "directory_id",
        "project_id",
        "organization_id",
        "files_conn_id",
        "llamacloud_conn_id",
    )

    def __init__(self, *, job_config: Mapping[str, Any], directory_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_config = job_config
        self.directory_id = directory_id


class _LlamaCloudCancelOperator(CancelBatchOperator):
    hook_class = LlamaCloudHook

    def __init__(
        self,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.organization_id = organization_id
        self.llamacloud_conn_id = llamacloud_conn_id


class LlamaCloudCancelBatchOperator(_LlamaCloudCancelOperator):
    """Cancels a LlamaCloud batch (v2). Files that are finished keep their results.

    A batch that has ended already stays as it is, which is no error.

    :param batch_id: the batch
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    kind = llamacloud.BATCH_KIND
    id_field = "batch_id"
    template_fields = ("batch_id", "project_id", "organization_id", "llamacloud_conn_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id


class LlamaCloudCancelBatchProcessingJobOperator(_LlamaCloudCancelOperator):
    """Cancels a LlamaCloud batch processing job (v1 beta).

    A job that has ended already stays as it is, which is no error.

    :param job_id: the job
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    kind = llamacloud.BATCH_PROCESSING_JOB_KIND
    id_field = "job_id"
    template_fields = ("job_id", "project_id", "organization_id", "llamacloud_conn_id")

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id


class _LlamaCloudFinishedOperator(FinishedBatchesOperator):
    hook_class = LlamaCloudHook

    def __init__(
        self,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.organization_id = organization_id
        self.llamacloud_conn_id = llamacloud_conn_id


class LlamaCloudFinishedBatchesOperator(_LlamaCloudFinishedOperator):
    """Finds finished LlamaCloud batches (v2) that have not been exported: ``batch_id`` and ``destination`` of each.

    Takes the parameters of :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator` too.

    :param source_directory_id: only those of this directory
    :param created_at_on_or_after: only those created then or later; a datetime or ISO 8601, UTC if it says nothing
    :param created_at_on_or_before: only those created then or earlier
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    kind = llamacloud.BATCH_KIND
    filters = (
        "source_directory_id",
        "created_at_on_or_after",
        "created_at_on_or_before",
        "project_id",
        "organization_id",
    )
    template_fields = (*FinishedBatchesOperator.template_fields, *filters, "llamacloud_conn_id")

    def __init__(
        self,
        *,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | str | None = None,
        created_at_on_or_before: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_directory_id = source_directory_id
        self.created_at_on_or_after = created_at_on_or_after
        self.created_at_on_or_before = created_at_on_or_before


class LlamaCloudFinishedBatchProcessingJobsOperator(_LlamaCloudFinishedOperator):
    """Finds finished LlamaCloud batch processing jobs (v1 beta) that have not been exported.

    It returns ``job_id`` and ``destination`` of each. Takes the parameters of
    :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator` too.

    :param directory_id: only those of this directory
    :param job_type: only ``parse``, ``extract`` or ``classify``
    :param project_id: the project; that of the connection, else of the key, if left out
    :param organization_id: the organization; that of the connection, else of the key, if left out
    :param llamacloud_conn_id: the Airflow connection with the API key
    """

    kind = llamacloud.BATCH_PROCESSING_JOB_KIND
    filters = ("directory_id", "job_type", "project_id", "organization_id")
    template_fields = (*FinishedBatchesOperator.template_fields, *filters, "llamacloud_conn_id")

    def __init__(self, *, directory_id: str | None = None, job_type: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directory_id = directory_id
        self.job_type = job_type
