"""Exports from LlamaCloud."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.vendors import llamacloud


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

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ListingExportOperator` too.

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

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ListingExportOperator` too.

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
