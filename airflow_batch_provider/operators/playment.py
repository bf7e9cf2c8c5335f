"""TELUS/Playment: operators that export, submit and find batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.finished import FinishedBatchesOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.stores.role import source_role
from airflow_batch_provider.vendors import playment, playment_results, playment_submission

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class PlaymentExportBatchesOperator(ListingExportOperator):
    """Exports the batches of a TELUS/Playment project.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator`.

    :param project_id: the id of the project; default: that of the connection
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
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

    It also takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator`.

    :param batch_id: the id of the batch
    :param project_id: the id of its project; default: that of the connection
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
    """

    listing = playment.BATCH_JOBS
    batch_kind = playment.BATCH_KIND
    template_fields = (*PlaymentExportBatchesOperator.template_fields, "batch_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id

    @classmethod
    def _batch_parameter(cls) -> str:
        return "batch_id"


class PlaymentExportJobResultsOperator(ResultsExportOperator):
    """Exports the results of a TELUS/Playment batch: a row for each job, with its annotations as a file.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator`.

    :param batch_id: the id of the batch
    :param project_id: the id of its project; default: that of the connection
    :param files: any of ``result`` (default), the annotations as JSON, and ``masks``, the images of segmentations
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
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
    """Submits jobs for annotation to TELUS/Playment: creates a batch with its jobs and waits until it is complete.

    Neither the batch nor its jobs can be cancelled or deleted by API.
    It also takes the parameters of :class:`~airflow_batch_provider.operators.run.RunBatchOperator`.

    :param name: the name of the batch; the operator adds a tag, by which it finds the batch again
    :param jobs: the jobs, at most 100,000: a list of dicts, or the path or URI of a JSONL file. A job has a
        ``reference_id`` that is unique in the project, ``data`` as the vendor documents it, such as
        ``{"image_url": ...}``, and optionally ``work_flow_id`` and ``priority_weight`` (1 to 9).
    :param work_flow_id: the id of the workflow for jobs without their own
    :param project_id: the id of the project; default: that of the connection
    :param description: the description of the batch; default: none
    :param jobs_conn_id: the id of the Airflow connection for a URI in ``jobs`` that contains none
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
    """

    submission = playment_submission.SUBMISSION
    rows_field = "jobs"
    places = (source_role("jobs"),)
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
    """Finds complete TELUS/Playment batches that have not been exported, and returns ``batch_id`` and ``destination``.

    The default batch of a project is never complete. The vendor shows no time of change, so a batch that was reopened
    is found again only if its status or its counters have changed. It also takes the parameters of
    :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator`.

    :param project_id: the id of the project; default: that of the connection
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
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
