"""TELUS/Playment: exports, and batches that are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.finished import FinishedBatchesOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.vendors import playment, playment_results, playment_submission

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


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
    batch_kind = playment.BATCH_KIND
    template_fields = (*PlaymentExportBatchesOperator.template_fields, "batch_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id

    def _batch_parameter(self) -> str:
        return "batch_id"


class PlaymentExportJobResultsOperator(ResultsExportOperator):
    """Exports the results of the jobs of a TELUS/Playment batch: a row for each job, its annotations as a file.

    Takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator` too.

    :param batch_id: the batch
    :param project_id: the project that has it; that of the connection if left out
    :param files: of ``result`` (default), the annotations as JSON, and ``masks``, the images of segmentations
    :param playment_conn_id: the Airflow connection with the API key
    """

    results = playment_results.JOB_RESULTS
    batch_kind = playment.BATCH_KIND
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


class PlaymentRunBatchOperator(RunBatchOperator):
    """Has TELUS/Playment annotate jobs: creates a batch with its jobs and waits until it is complete.

    Neither the batch nor a job can be cancelled or deleted by API; the log says so before the first job is created.
    Takes the parameters of :class:`~airflow_batch_provider.operators.run.RunBatchOperator` too.

    :param name: the batch's name; a tag is added, by which it is found again
    :param jobs: the jobs: a list of rows, or a path or URI of a JSONL file of them. Each has ``reference_id``, which a
        project takes once, and ``data`` as the vendor documents it, such as ``{"image_url": ...}``; perhaps
        ``work_flow_id`` and ``priority_weight`` (1 to 9). At most 100,000.
    :param work_flow_id: the workflow of all jobs that name none
    :param project_id: the project; that of the connection if left out
    :param description: what the batch is about
    :param jobs_conn_id: the Airflow connection for a URI of ``jobs`` that names none
    :param playment_conn_id: the Airflow connection with the API key
    """

    submission = playment_submission.SUBMISSION
    rows_field = "jobs"
    hook_class = PlaymentHook
    template_fields = (
        *RunBatchOperator.template_fields,
        "name",
        "jobs",
        "work_flow_id",
        "project_id",
        "description",
        "jobs_conn_id",
        "playment_conn_id",
    )

    def __init__(
        self,
        *,
        name: str,
        jobs: Sequence[Mapping[str, Any]] | str | ObjectStoragePath,
        work_flow_id: str | None = None,
        project_id: str | None = None,
        description: str | None = None,
        jobs_conn_id: str | None = None,
        playment_conn_id: str = PlaymentHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.jobs: Any = jobs
        self.work_flow_id = work_flow_id
        self.project_id = project_id
        self.description = description
        self.jobs_conn_id = jobs_conn_id
        self.playment_conn_id = playment_conn_id

    def items(self) -> Any:
        """Return the jobs with the numbers of their rows; they are read again each time."""
        return self.rows()


class PlaymentFinishedBatchesOperator(FinishedBatchesOperator):
    """Finds complete TELUS/Playment batches that have not been exported: ``batch_id`` and ``destination`` of each.

    The default batch of a project is never complete. The vendor shows no time of change: a batch that is opened again
    is found if its status or its counters differ when it is listed. Takes the parameters of
    :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator` too.

    :param project_id: the project; that of the connection if left out
    :param playment_conn_id: the Airflow connection with the API key
    """

    kind = playment.BATCH_KIND
    hook_class = PlaymentHook
    filters = ("project_id",)
    template_fields = (*FinishedBatchesOperator.template_fields, *filters, "playment_conn_id")

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
