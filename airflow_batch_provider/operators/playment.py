"""Exports from TELUS/Playment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.vendors import playment


class PlaymentExportBatchesOperator(ListingExportOperator):
    """Exports the batches of a TELUS/Playment project.

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param project_id: the project; that of the connection if left out
    :param playment_conn_id: the Airflow connection with the API key
    """

    listing = playment.BATCHES
    hook_class = PlaymentHook
    template_fields: Sequence[str] = (*ListingExportOperator.template_fields, "project_id", "playment_conn_id")

    def __init__(
        self,
        *,
        project_id: str | None = None,
        playment_conn_id: str = PlaymentHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.playment_conn_id = playment_conn_id


class PlaymentExportBatchJobsOperator(PlaymentExportBatchesOperator):
    """Exports the jobs of a TELUS/Playment batch.

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param batch_id: the batch
    :param project_id: the project that has it; that of the connection if left out
    :param playment_conn_id: the Airflow connection with the API key
    """

    listing = playment.BATCH_JOBS
    template_fields = (*PlaymentExportBatchesOperator.template_fields, "batch_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id


class PlaymentExportJobResultsOperator(ResultsExportOperator):
    """Exports the results of the jobs of a TELUS/Playment batch: a row for each job, its annotations as a file.

    Takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator` too.

    :param batch_id: the batch
    :param project_id: the project that has it; that of the connection if left out
    :param files: of ``result`` (default), the annotations as JSON, and ``masks``, the images of segmentations
    :param playment_conn_id: the Airflow connection with the API key
    """

    results = playment.JOB_RESULTS
    hook_class = PlaymentHook
    template_fields: Sequence[str] = (
        *ResultsExportOperator.template_fields,
        "batch_id",
        "project_id",
        "playment_conn_id",
    )

    def __init__(
        self,
        *,
        batch_id: str,
        project_id: str | None = None,
        playment_conn_id: str = PlaymentHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.project_id = project_id
        self.playment_conn_id = playment_conn_id
