"""LlamaCloud: v2 batches, and batch processing jobs of the v1 beta."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.form import form_fields, form_labels
from airflow_batch_provider.vendors import llamacloud


class LlamaCloudHook(BatchApiHook):
    """LlamaCloud document processing.

    ``project_id`` and ``organization_id`` left out are those of the connection, else the key's own.

    :param llamacloud_conn_id: the Airflow connection, of type ``llamacloud``; its password is the API key
    """

    vendor = llamacloud.VENDOR
    probe = llamacloud.BATCHES
    conn_name_attr = "llamacloud_conn_id"
    default_conn_name = "llamacloud_default"
    conn_type = "llamacloud"
    hook_name = "LlamaCloud"

    # Airflow 3.1 looks for these in the class itself.
    get_connection_form_widgets = classmethod(form_fields)
    get_ui_field_behaviour = classmethod(form_labels)

    def __init__(self, llamacloud_conn_id: str = default_conn_name) -> None:
        super().__init__(llamacloud_conn_id)
        self.llamacloud_conn_id = llamacloud_conn_id

    def iter_batches(
        self,
        *,
        status: str | None = None,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | str | None = None,
        created_at_on_or_before: datetime | str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield v2 batches.

        :param status: only those in this state: ``PENDING``, ``THROTTLED``, ``RUNNING``, ``COMPLETED``, ``FAILED``
            or ``CANCELLED``
        :param source_directory_id: only those of this directory
        :param created_at_on_or_after: only those created then or later; a datetime or ISO 8601, UTC if it says nothing
        :param created_at_on_or_before: only those created then or earlier
        :param project_id: the project
        :param organization_id: the organization
        :param page_size: rows per request, 1 to 100 (default)
        """
        return self.iter_listing(
            llamacloud.BATCHES,
            status=status,
            source_directory_id=source_directory_id,
            created_at_on_or_after=created_at_on_or_after,
            created_at_on_or_before=created_at_on_or_before,
            project_id=project_id,
            organization_id=organization_id,
            page_size=page_size,
        )

    def get_batch(
        self,
        batch_id: str,
        expand_results: bool = False,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Return a v2 batch.

        :param batch_id: the batch
        :param expand_results: whether to ask for ``results``, the job or the error of each file
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.BATCH,
            batch_id=batch_id,
            expand="results" if expand_results else None,
            project_id=project_id,
            organization_id=organization_id,
        )

    def iter_batch_processing_jobs(
        self,
        *,
        directory_id: str | None = None,
        job_type: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield batch processing jobs (v1 beta); neither ``total_size`` nor ``next_page_token`` ends the listing.

        :param directory_id: only those of this directory
        :param job_type: only ``parse``, ``extract`` or ``classify``
        :param status: only those in this state: ``pending``, ``running``, ``dispatched``, ``completed``, ``failed``
            or ``cancelled``
        :param project_id: the project
        :param organization_id: the organization
        :param limit: rows per request, 1 to 1000 (default); not a limit of the whole
        :param offset: how many rows to leave out at the beginning, 0 by default
        """
        return self.iter_listing(
            llamacloud.BATCH_PROCESSING_JOBS,
            directory_id=directory_id,
            job_type=job_type,
            status=status,
            project_id=project_id,
            organization_id=organization_id,
            limit=limit,
            offset=offset,
        )

    def get_batch_processing_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Return a batch processing job (v1 beta): ``{"job": ..., "progress_percentage": ...}``, nested as it comes.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.BATCH_PROCESSING_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )
