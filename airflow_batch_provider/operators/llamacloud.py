"""LlamaCloud: operators that export, submit, cancel and find batches and batch processing jobs."""

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

    It also takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator`.

    :param status: list only those with this status: ``PENDING``, ``THROTTLED``, ``RUNNING``, ``COMPLETED``, ``FAILED``
        or ``CANCELLED``
    :param source_directory_id: list only batches of the directory with this id
    :param created_at_on_or_after: list only batches created at this time or later: a datetime, or ISO 8601; UTC if it
        has no time zone
    :param created_at_on_or_before: list only batches created at this time or earlier
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param page_size: rows per request, 1 to 100 (default)
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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

    It also takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator`.

    :param directory_id: list only jobs of the directory with this id
    :param job_type: list only jobs of this type: ``parse``, ``extract`` or ``classify``
    :param status: list only those with this status: ``pending``, ``running``, ``dispatched``, ``completed``, ``failed``
        or ``cancelled``
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param limit: rows per request, 1 to 1,000 (default); not a limit of the listing
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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
    """Exports the results of a LlamaCloud batch (v2): a row for each file, with the parsed documents as files.

    ``item`` is the vendor's entry for the file. It contains the file's entry in its directory (name, ``unique_id``,
    metadata) as ``directory_file``, or null if the directory no longer exists. ``result`` is the parse or extract job,
    without the contents that became files; an extract job contains ``extract_result``. Failed pages are known only if
    ``files`` contains ``markdown`` or ``items``. The vendor deletes results after some time, so export them in the run
    that waited for the batch.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator`.

    :param batch_id: the id of the batch
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param files: any of ``markdown`` (default), ``text``, ``items``, ``metadata``, ``forms``, ``images``, ``xlsx`` and
        ``pdf``; which of them a parse job has depends on its configuration, and an extract job has none
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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
    """Exports the results of a LlamaCloud batch processing job (v1 beta): a row for each item.

    ``result`` is the latest processing result of the item in this job. It refers to the vendor's own storage; the
    content comes from the API of parse jobs, v1 or v2. If neither has it, the row is ``partial`` and has only the
    references. Jobs of other types have no content to download.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator`.

    :param job_id: the id of the batch processing job
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param files: any of ``markdown`` (default), ``text``, ``items``, ``xlsx`` and ``pdf``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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
        """Return the files with their sizes and digests; reads each of them once."""
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
    """Submits files to LlamaCloud to parse or extract from: uploads them, creates a batch (v2) and waits for it.

    The files go to a new directory, which expires. A batch starts when it is created. It also takes the parameters of
    :class:`~airflow_batch_provider.operators.run.RunBatchOperator`.

    :param job_type: ``parse_v2`` or ``extract_v2``
    :param configuration_id: the id of a saved configuration, or a preset of the vendor such as ``cfg-PARSE_AGENTIC``
    :param files: the files: a list of paths, URIs or path objects, or one folder with its sub-folders; at most 1,000
        files of 512 MB (100 MB to extract from)
    :param source_directory_id: the id of an existing directory, instead of files. If several tasks of one run use the
        same directory, the operator cannot find out which batch belongs to which task.
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param files_conn_id: the id of the Airflow connection for URIs in ``files`` that contain none
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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
    """Submits files to LlamaCloud as a batch processing job (v1 beta), and waits until it is completed.

    The files go to a new directory, which expires. It also takes the parameters of
    :class:`~airflow_batch_provider.operators.run.RunBatchOperator`.

    :param job_config: the configuration of the job in the vendor's form:
        ``{"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse"}}``
    :param files: the files: a list of paths, URIs or path objects, or one folder with its sub-folders; at most 1,000
        files of 512 MB
    :param directory_id: the id of an existing directory, instead of files; as for batches (v2), use it in one task of a
        run only
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param files_conn_id: the id of the Airflow connection for URIs in ``files`` that contain none
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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

    A batch that has ended stays as it is; that is not an error.

    :param batch_id: the id of the batch
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
    """

    kind = llamacloud.BATCH_KIND
    id_field = "batch_id"
    template_fields = ("batch_id", "project_id", "organization_id", "llamacloud_conn_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id


class LlamaCloudCancelBatchProcessingJobOperator(_LlamaCloudCancelOperator):
    """Cancels a LlamaCloud batch processing job (v1 beta).

    A job that has ended stays as it is; that is not an error.

    :param job_id: the id of the job
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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
    """Finds finished LlamaCloud batches (v2) that have not been exported, and returns ``batch_id`` and ``destination``.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator`.

    :param source_directory_id: list only batches of the directory with this id
    :param created_at_on_or_after: list only batches created at this time or later: a datetime, or ISO 8601; UTC if it
        has no time zone
    :param created_at_on_or_before: list only batches created at this time or earlier
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
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

    It returns their ``job_id`` and ``destination``. It also takes the parameters of
    :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator`.

    :param directory_id: list only jobs of the directory with this id
    :param job_type: list only jobs of this type: ``parse``, ``extract`` or ``classify``
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
    """

    kind = llamacloud.BATCH_PROCESSING_JOB_KIND
    filters = ("directory_id", "job_type", "project_id", "organization_id")
    template_fields = (*FinishedBatchesOperator.template_fields, *filters, "llamacloud_conn_id")

    def __init__(self, *, directory_id: str | None = None, job_type: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directory_id = directory_id
        self.job_type = job_type
